"""Whether named pairs are right on real data: against interactions over all coalitions of fields.

    python -m experiments.faithfulness.coalitions --dataset=frappe/nfm --raw_dir=FOLDER

Explains test records by every method of `group_measures.py` with the models of
Table 3's `released` runs, which are given an effect head, and compares the pairs of
fields with their Shapley interactions, which are exact: of records of 12 fields or fewer.
Writes `faithfulness/coalitions/NAME/summary.json`, for `make page`.
"""

from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_and_std
from experiments.common.studies import open_data, result_name, runs_of, study_record
from experiments.faithfulness.group_measures import (
    PAIR_METHODS,
    against_coalitions,
    exact_interactions,
    pair_values,
    precision_of_first,
)
from experiments.faithfulness.models import backgrounds_of, explained_runs, with_effects
from experiments.paper.sensitivity import PRESET
from interhat_tf.explanation.selection import first_records

RECORDS = 20
FIRST = 5
"""Pairs that a method names."""


def main(_):
    data = open_data()
    records, background = first_records(data, "test", RECORDS), backgrounds_of(data).own
    runs = runs_of("interhat", preset=PRESET)
    folders = {run["seed"]: run["output_dir"] for run in runs}
    found = {}
    for seed, model, _ in explained_runs(runs):
        model = with_effects(model, data, folders[seed])
        exact = exact_interactions(model, records, background)
        found[seed] = {
            name: {
                **against_coalitions(name, values, exact),
                "precision": precision_of_first(FIRST, values, exact),
            }
            for name, values in pair_values(model, records, background, seed).items()
        }
    of_seeds = [found[seed] for seed in SEEDS.value]  # runs finish in any order
    rows = {
        name: {key: mean_and_std([row[name][key] for row in of_seeds]) for key in of_seeds[0][name]}
        for name in PAIR_METHODS
        if name in of_seeds[0]
    }
    summary = {
        **study_record(data),
        "seeds": SEEDS.value,
        "records": len(next(iter(records.values()))),
        "background": len(next(iter(background.values()))),
        "first": FIRST,
        "methods": rows,
    }
    write_result(f"faithfulness/coalitions/{result_name()}/summary.json", summary)
    for name, row in rows.items():
        print(f"{name:14} {row['precision']['mean']:.2f} {row['tau']['mean']:.2f}")


if __name__ == "__main__":
    run_program(main, required=["dataset"])
