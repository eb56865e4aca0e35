"""Table 3: all models, tuned alike on validation, then several seeds on the test split.

    python -m experiments.paper.table_3 --dataset=frappe/nfm --raw_dir=FOLDER

For every model `--trials` settings are drawn from its declared space
(`search_spaces.py`), each is trained with seed 0, and the best on validation is
trained anew with the seeds 1 to 5; only these runs read the test split, once
each. InterHAt and its ablation InterHAt-S are tuned like the others; besides,
`paper` and `released` are InterHAt with the settings of the paper's Table 2.
Writes every trial and every run to `experiments/results/effectiveness/NAME/
summary.json`, from which `make tables` draws the table. Stopped, it goes on
where it was; runs that are done are not run again.
"""

from absl import flags

from experiments.common.model_flags import chosen_models
from experiments.common.published import TITLES
from experiments.common.run_flags import SEEDS
from experiments.common.running import run_program
from experiments.common.search_spaces import draw, search_space
from experiments.common.statistics import paired_difference
from experiments.common.studies import (
    dataset_name,
    describe,
    heading,
    open_data,
    results_folder,
    run_flags,
    summarise,
    train_all,
)
from experiments.paper.memorisation_baseline import look_up_baseline
from interhat_tf.utils.files import write_json

EXPERIMENT = "effectiveness"
TRIAL_SEED = 0
# InterHAt as the paper and the released code have it, without a search.
PRESETS = ("paper", "released")
# One of the three PNNs, the one of the public benchmark.
MODELS = [name for name in TITLES if name not in ("opnn", "pnn")]

TRIALS = flags.DEFINE_integer("trials", 8, "settings that are tried for each model")


def main(_):
    if TRIAL_SEED in SEEDS.value:
        raise ValueError(f"seed {TRIAL_SEED} chose the settings; the final runs need others")
    models = chosen_models(MODELS)
    data = open_data()
    trials = search(models)
    rows = final_runs({model: found[0]["setting"] for model, found in trials.items()})
    summary = {
        **heading(data),
        "trial_seed": TRIAL_SEED,
        "spaces": {model: search_space(dataset_name(), model) for model in models},
        "trials": trials,
        "models": rows,
        "differences": differences(rows, "interhat"),
    }
    if dataset_name() == "frappe":
        summary["look_up"] = look_up_baseline(data)
    write_json(results_folder(EXPERIMENT) / "summary.json", summary)
    for name, row in rows.items():
        auc, logloss = row["test"]["auc"], row["test"]["logloss"]
        print(
            f"{name:12} AUC {auc['mean']:.4f} ± {auc['std']:.4f}, "
            f"logloss {logloss['mean']:.4f} ± {logloss['std']:.4f}"
        )


def search(models):
    """Trains the trials of all models; returns each model's, the best on validation first."""
    settings = {
        model: draw(search_space(dataset_name(), model), TRIALS.value, seed=model)
        for model in models
    }
    reports = train_all(
        {
            model: [run_flags(model, seed=TRIAL_SEED, test=False, **s) for s in of_model]
            for model, of_model in settings.items()
        }
    )
    trials = {
        model: [
            {"setting": setting, **describe(report)}
            for setting, report in zip(settings[model], reports[model], strict=True)
        ]
        for model in models
    }
    for found in trials.values():
        found.sort(key=lambda trial: trial["validation"]["logloss"] - trial["validation"]["auc"])
    return trials


def final_runs(settings):
    """Trains the chosen setting of each model, and the presets, with all seeds; a row for each."""
    arguments = {model: {"model": model, **setting} for model, setting in settings.items()}
    arguments |= {preset: {"model": "interhat", "preset": preset} for preset in PRESETS}
    reports = train_all(
        {
            name: [run_flags(seed=seed, **given) for seed in SEEDS.value]
            for name, given in arguments.items()
        }
    )
    return {name: summarise(of_model) for name, of_model in reports.items()}


def differences(rows, reference):
    """Returns how much better the reference is than each other row, paired by seed."""
    if reference not in rows:
        return {}

    def values(name, metric):
        return [run["test"][metric] for run in rows[name]["runs"]]

    return {
        name: {
            metric: paired_difference(values(reference, metric), values(name, metric))
            for metric in ("auc", "logloss")
        }
        for name in rows
        if name != reference
    }


if __name__ == "__main__":
    run_program(main, required=["dataset"])
