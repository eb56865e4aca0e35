"""How far InterHAt's own explanations agree with what its fields do, aligned or not.

    python -m experiments.faithfulness.agreement --dataset=frappe/nfm --raw_dir=FOLDER

Explains test records by the models of each of `--explained_presets` and `--seeds` in several
`--forms`: as they are trained, *plain*; trained with aligned attention from the first
epoch on, *aligned*; and trained first and aligned then, *continued*. A field's effect is its
occlusion: how the logit changes when the field has the values of other records. For
each record the fields are ranked by the size of their effect, and the ranks compared with
those by the combined attention weights, by the size of the contributions and by the
effects that the model estimates in one pass. Beside them stand a bound from above, the
effects against other background records, and a ranking that knows no record, by the
mean size of the effects. Writes `faithfulness/agreement/NAME/PRESET-FORM.json`, for `make
page`. Runs that are done are not run again.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from absl import flags

from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_and_std
from experiments.common.studies import open_data, result_name, runs_of, study_record
from experiments.faithfulness.additivity import largest_error
from experiments.faithfulness.methods import ALIGNMENT, CONTINUED, HOW_TRAINED, OF_RUNS
from experiments.faithfulness.models import (
    BACKGROUND,
    PRESETS,
    changed_once,
    explained_runs,
    halves_of,
    name_of_effects,
    with_effects,
)
from interhat_tf.explanation import attributions, effect_fitting
from interhat_tf.explanation.batches import estimate_effects, explain_inputs
from interhat_tf.explanation.rank_correlation import rank_correlations
from interhat_tf.explanation.selection import first_records
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import Batch
from interhat_tf.training import align_attention
from interhat_tf.training.evaluation import evaluate

FORMS = flags.DEFINE_multi_enum("forms", [*HOW_TRAINED], [*HOW_TRAINED], "how attention is trained")
RANKED = flags.DEFINE_integer("ranked", 1000, "test records whose fields are ranked")
# Of which the sums of contributions are compared with the logits.
SUMMED = 10_000


def main(_):
    data = open_data()
    records = first_records(data, "test", SUMMED)
    background = first_records(data, "train", 2 * BACKGROUND.value)
    halves = halves_of(background)  # of BACKGROUND records each
    about = {
        **study_record(data),
        "seeds": SEEDS.value,
        "ranked": RANKED.value,
        "summed": len(next(iter(records.values()))),
        "background": BACKGROUND.value,
    }
    for preset, form in itertools.product(PRESETS.value, FORMS.value):
        found = {
            seed: {
                **rank_agreement(
                    model, {k: v[: RANKED.value] for k, v in records.items()}, *halves
                ),
                **of_model(model, data),
                "largest_error": largest_error(explain_inputs(model, records)),
            }
            for seed, model in models_of(preset, form, data)
        }
        rows = [found[seed] for seed in SEEDS.value]  # runs finish in any order
        figures = {name: mean_and_std([row[name] for row in rows]) for name in rows[0]}
        summary = {**about, "preset": preset, "form": form, **figures, "runs": rows}
        write_result(f"faithfulness/agreement/{result_name()}/{preset}-{form}.json", summary)
        print(f"{preset}, {form}")
        for name, figure in figures.items():
            print(f"  {name:24} {figure['mean']:.3g} ± {figure['std']:.2g}", flush=True)


def models_of(preset: str, form: str, data: PreparedDataset) -> Iterator[tuple[int, keras.Model]]:
    """Yields each seed and its model, which holds an effect head, of pairs as well."""
    change = continued if form == CONTINUED else with_effects
    for run, model, _ in explained_runs(runs_of("interhat", preset=preset, **OF_RUNS[form])):
        yield run["seed"], change(model, data, run["output_dir"])


def continued(model: keras.Model, data: PreparedDataset, folder: str) -> keras.Model:
    """Returns a run's model with aligned attention and effects; its folder keeps it."""
    name = name_of_effects("continued_with_effects", model)
    return changed_once(model, folder, name, ALIGNMENT, data, align)


def align(model: keras.Model, data: PreparedDataset, effect_weight: float, **how: Any) -> None:
    """Aligns a model's attention, and gives it effects."""
    align_attention(model, data, weight=effect_weight, **how)
    effect_fitting.fit_effects(model, data, pairs=True)


def of_model(model: keras.Model, data: PreparedDataset) -> dict[str, float]:
    """Returns how good a model is on test, and how true its effects are on validation."""
    effects, worth = model.diagnosis["effects"], model.diagnosis["attention"]
    return {
        **evaluate(model, data, "test"),
        "auc_lost": worth["auc_lost"],
        **{name: effects[name] for name in ("r2", "pair_r2", "pair_rank_correlation")},
    }


def rank_agreement(
    model: keras.Model, inputs: Batch, background: Batch, other_background: Batch
) -> dict[str, float]:
    """Returns the mean rank correlations with the size of the fields' effects.

    Args:
        model: An `InterHAt` that holds an effect head.
        inputs: The records.
        background: Inputs of the records against which the effects are.
        other_background: Those for the `ceiling` and the `constant` ranking.
    """
    effects, others = (
        np.abs(attributions.occlusion(model, inputs, records))
        for records in (background, other_background)
    )  # (B, m) each
    rankings = {
        "attention": attributions.attention(model, inputs),
        "contributions": np.abs(attributions.contributions(model, inputs)),
        "one_pass": np.abs(estimate_effects(model, inputs)["effects"]),
        "constant": np.broadcast_to(others.mean(axis=0), others.shape),  # (B, m)
        "ceiling": others,
    }
    return {
        name: float(rank_correlations(values, effects).mean()) for name, values in rankings.items()
    }


if __name__ == "__main__":
    run_program(main, required=["dataset"])
