"""Table 3: all models, tuned alike on validation, then several seeds on the test split.

    python -m experiments.paper.table_3 --dataset=frappe/nfm --raw_dir=FOLDER

For every model `--trials` settings are drawn from its declared space
(`common/search_spaces.py`), each is trained with seed 0, and the best on
validation is trained again with the seeds 1 to 5; only these runs read the test
split, once each. InterHAt and its ablation InterHAt-S are tuned like the others;
besides, `paper` and `released` are InterHAt with the settings of the paper's
Table 2. Writes every trial and every run to `table_3/NAME/summary.json`, from
which `make page` draws the table. A study that was stopped continues where it
was; runs that are done are not run again.
"""

from typing import Any

from absl import flags

from experiments.common import studies
from experiments.common.flags import chosen_models
from experiments.common.published import TITLES
from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.search_spaces import draw, search_space
from experiments.common.seed_flags import SEEDS
from experiments.common.studies import dataset_name, run_flags, runs_of
from experiments.paper.memorisation_baseline import memorisation_baseline

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
    data = studies.open_data()
    trials = search(models)
    finals = {model: runs_of(model, **found[0]["setting"]) for model, found in trials.items()}
    finals |= {preset: runs_of("interhat", preset=preset) for preset in PRESETS}
    rows = studies.train_rows(finals)
    summary = {
        **studies.study_record(data),
        "trial_seed": TRIAL_SEED,
        "spaces": {model: search_space(dataset_name(), model) for model in models},
        "trials": trials,
        "models": rows,
        "differences": studies.leads(rows, "interhat"),
    }
    if dataset_name() == "frappe":
        summary["memorisation"] = memorisation_baseline(data)
    write_result(studies.summary_of("table_3"), summary)


def search(models: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Trains the trials of all models; returns each model's, the best on validation first."""
    settings = {
        model: draw(search_space(dataset_name(), model), TRIALS.value, seed=model)
        for model in models
    }
    reports = studies.train_all(
        {
            model: [run_flags(model, seed=TRIAL_SEED, test=False, **s) for s in of_model]
            for model, of_model in settings.items()
        }
    )
    trials = {
        model: [
            {"setting": setting, **studies.describe(report)}
            for setting, report in zip(settings[model], reports[model], strict=True)
        ]
        for model in models
    }
    for found in trials.values():
        found.sort(key=lambda trial: trial["validation"]["logloss"] - trial["validation"]["auc"])
    return trials


if __name__ == "__main__":
    run_program(main, required=["dataset"])
