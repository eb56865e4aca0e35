"""Deletion and insertion, exact effects, signs and seeds: explanations on real data.

    python -m experiments.faithfulness.curves --dataset=frappe/nfm --raw_dir=FOLDER

Explains test records by every method of `methods.py` with the models of each of
`--explained_presets`, Table 3's as they come, seeds 1 to 5. *Deletion* removes the fields
one by one, the one that supports the prediction most first, and *insertion* adds them in
the same order to a record without any: a field that is removed takes the values of
background records, over which the probability is averaged. The sooner the probability
falls, or rises, the truer is the explanation. Beside the methods stands the same order
for all records. What else is asked stands in `field_measures.py`. Writes
`faithfulness/curves/NAME/PRESET.json`, for `make page`.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from absl import flags

from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_and_std, paired_difference
from experiments.common.studies import open_data, result_name, study_record
from experiments.faithfulness.field_measures import (
    Backgrounds,
    Explained,
    agreement,
    explain,
    measures,
)
from experiments.faithfulness.methods import METHODS, Inputs, Values, attributions, magnitudes
from experiments.faithfulness.models import PRESETS, backgrounds_of, models_with_effects
from interhat_tf.explanation.selection import first_records
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import Batch

RECORDS = flags.DEFINE_integer("explained", 300, "test records that are explained")


def main(_):
    data = open_data()
    records, backgrounds = first_records(data, "test", RECORDS.value), backgrounds_of(data)
    for preset in PRESETS.value:
        methods, test = of_preset(preset, data, records, backgrounds)
        summary = {
            **study_record(data),
            "preset": preset,
            "test": test,
            "seeds": SEEDS.value,
            "records": len(next(iter(records.values()))),
            "background": len(next(iter(backgrounds.own.values()))),
            "methods": methods,
        }
        write_result(f"faithfulness/curves/{result_name()}/{preset}.json", summary)
        print(preset)
        for name, row in methods.items():
            areas = f"{row['deletion']['area']['mean']:.3f} {row['insertion']['area']['mean']:.3f}"
            print(f"{name:22} {areas} {row['agreement']['correlation']:.2f}", flush=True)


def of_preset(
    preset: str, data: PreparedDataset, records: Batch, backgrounds: Backgrounds
) -> tuple[dict[str, Any], dict[str, float]]:
    """Returns what is measured of each method on a preset's models, and these models' test AUC."""
    found, aucs = {}, {}
    for seed, model, report in models_with_effects(preset, data):
        found[seed] = explain(model, records, backgrounds, seed, with_constant)
        aucs[seed] = report["test"]["auc"]
    # Runs finish in any order.
    of_seeds = [found[seed] for seed in SEEDS.value]
    methods = {name: of_method(name, of_seeds) for name in METHODS if name in of_seeds[0].values}
    return methods, mean_and_std([aucs[seed] for seed in SEEDS.value])


def with_constant(model: keras.Model, inputs: Inputs, background: Inputs, seed: int) -> Values:
    """Returns the values of all methods, and of a ranking that knows no record."""
    values = attributions(model, inputs, background, seed)
    sizes = np.abs(values["occlusion"])  # (B, m)
    return {**values, "constant": np.broadcast_to(sizes.mean(axis=0), sizes.shape)}


def of_method(name: str, of_seeds: Sequence[Explained]) -> dict[str, Any]:
    """Returns all that is measured of a method, over the seeds."""
    measured = [measures(name, found) for found in of_seeds]
    return {
        **{kind: of_curve(of_seeds, name, kind) for kind in ("deletion", "insertion")},
        "agreement": agreement([magnitudes(name, found.values[name]) for found in of_seeds]),
        **{
            key: mean_and_std([row[key] for row in measured])
            for key in measured[0]
            if key not in ("deletion", "insertion")
        },
    }


def of_curve(of_seeds: Sequence[Explained], name: str, kind: str) -> dict[str, Any]:
    """Returns a method's mean curve, the area under it, and that area minus the random one's."""
    areas, random = (
        [float(found.curves[method][kind].mean()) for found in of_seeds]
        for method in (name, "random")
    )
    return {
        "curve": np.mean([found.curves[name][kind] for found in of_seeds], axis=0).tolist(),
        "area": mean_and_std(areas),
        "against_random": paired_difference(areas, random),
    }


if __name__ == "__main__":
    run_program(main, required=["dataset"])
