"""Whether named pairs are right on real data: against interactions over all coalitions of fields.

    python -m experiments.faithfulness.coalitions --dataset=frappe/nfm --raw_dir=FOLDER

Explains test records by every method of `group_measures.py` with the models of each of
`--explained_presets`, Table 3's as they come, which are given an effect head, and compares
the pairs of fields with their Shapley interactions, which are exact: of records of 12 fields
or fewer. Writes `faithfulness/coalitions/NAME/PRESET.json`, for `make page`.
"""

from typing import Any

from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_and_std
from experiments.common.studies import open_data, result_name, study_record
from experiments.faithfulness.group_measures import (
    PAIR_METHODS,
    against_coalitions,
    exact_interactions,
    pair_values,
    precision_of_first,
)
from experiments.faithfulness.models import PRESETS, backgrounds_of, models_with_effects
from interhat_tf.explanation.selection import first_records
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import Batch

RECORDS = 20
FIRST = 5
"""Pairs that a method names."""


def main(_):
    data = open_data()
    records, background = first_records(data, "test", RECORDS), backgrounds_of(data).own
    for preset in PRESETS.value:
        rows = of_preset(preset, data, records, background)
        summary = {
            **study_record(data),
            "preset": preset,
            "seeds": SEEDS.value,
            "records": len(next(iter(records.values()))),
            "background": len(next(iter(background.values()))),
            "first": FIRST,
            "methods": rows,
        }
        write_result(f"faithfulness/coalitions/{result_name()}/{preset}.json", summary)
        print(preset)
        for name, row in rows.items():
            figures = f"{row['precision']['mean']:.2f} {row['tau']['mean']:.2f}"
            print(f"{name:14} {figures}", flush=True)


def of_preset(
    preset: str, data: PreparedDataset, records: Batch, background: Batch
) -> dict[str, Any]:
    """Returns how right each method's pairs are, with a preset's models."""
    found = {}
    for seed, model, _ in models_with_effects(preset, data):
        exact = exact_interactions(model, records, background)
        found[seed] = {
            name: {
                **against_coalitions(name, values, exact),
                "precision": precision_of_first(FIRST, values, exact),
            }
            for name, values in pair_values(model, records, background, seed).items()
        }
    of_seeds = [found[seed] for seed in SEEDS.value]  # runs finish in any order
    return {
        name: {key: mean_and_std([row[name][key] for row in of_seeds]) for key in of_seeds[0][name]}
        for name in PAIR_METHODS
        if name in of_seeds[0]
    }


if __name__ == "__main__":
    run_program(main, required=["dataset"])
