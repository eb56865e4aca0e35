"""How fast models explain their predictions: InterHAt beside TreeSHAP and the EBM.

    python -m experiments.speed.explanations --dataset=frappe/nfm --raw_dir=FOLDER

Click models have new weights, on which no time depends; boosted trees are trained first, since
theirs does; the EBM for a few rounds, since its tables are as large then as after many. All have
the settings that Table 3 chose, where there are such, and predict and explain the same records of
the test split, in turn, round after round, with all threads. Beside it stands how fast each
learns: a step of 1,024 records, or a boosting round over all of them. Writes
`speed/explanations/DATASET.json` among the results. Ten minutes on 2 cores, with nothing else
running.
"""

import statistics
from typing import Any

import numpy as np
from absl import flags
from tqdm.auto import tqdm

from experiments.common import studies
from experiments.common.flags import chosen_models
from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.common.table_3_files import chosen_setting
from experiments.speed.contestants import Work, of_click_model, of_trees
from experiments.speed.processes import ROUNDS, TURN_SECONDS
from experiments.speed.timed_cases import seconds_of
from experiments.trees.train import MODELS as TREES
from interhat_tf import kernels
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.utils.threads import number_of_threads

PRESETS = {"tuned": "interhat", "released": "interhat"}
MODELS = [*PRESETS, "dnn", "deepfm", *TREES]
# Settings that shorten a training on which no time depends.
SHORT = {"ebm": {"max_epochs": 200}}
# What the others are compared with.
REFERENCE = "TreeSHAP (`pred_contrib`)"

RECORDS = flags.DEFINE_integer("records", 8192, "records of the test split")


def main(_):
    if not kernels.are_usable():
        raise ValueError("build the CPU kernels first: python -m interhat_tf.kernels")
    data = studies.open_data()
    works, trained = contestants(data, chosen_models(MODELS))
    rows = timed(works)
    compare(rows)
    summary = {
        **studies.study_record(data),
        **record("lightgbm", "interpret-core", "shap"),
        "threads": number_of_threads(),
        "rounds": ROUNDS.value,
        "records": RECORDS.value,
        "rows": rows,
        "trees": trained,
    }
    show(rows)
    write_result(f"speed/explanations/{studies.result_name()}.json", summary)


def contestants(
    data: PreparedDataset, models: list[str]
) -> tuple[list[Work], dict[str, dict[str, Any]]]:
    """Returns what the models do, and how boosted trees were trained, by name."""
    batch = next(data.evaluation_batches("test", RECORDS.value).as_numpy_iterator())
    works, trained = [], {}
    for name in models:
        if name in PRESETS:
            works += of_click_model(data, batch[0], PRESETS[name], {"preset": name})
            continue
        setting = chosen_setting(studies.result_name(), name) or {}
        if name in TREES:
            setting |= SHORT.get(name, {})
            added, training = of_trees(data, batch[0], name, setting)
            works, trained[name] = works + added, {"setting": setting, **training}
        else:
            works += of_click_model(data, batch[0], name, setting)
    return works, trained


def timed(works: list[Work]) -> list[dict[str, Any]]:
    """Returns the rows a second of each work in each round, and their median."""
    turns = [turn(work) for work in tqdm(works, desc="warming up", disable=None)]
    rates = [[] for _ in works]
    for _ in tqdm(range(ROUNDS.value), desc="rounds", disable=None):
        for work, (records, times), of_work in zip(works, turns, rates, strict=True):
            seconds = sum(seconds_of(work.call, records) for _ in range(times))
            of_work.append(records * times / seconds)
    return [
        {
            "model": work.model,
            "what": work.what,
            "method": work.method,
            "records_a_call": records,
            "rows_per_second": statistics.median(of_work),
            "deviation": mean_and_std(of_work)["std"],
            "of_rounds": of_work,
        }
        for work, (records, _), of_work in zip(works, turns, rates, strict=True)
    ]


def turn(work: Work) -> tuple[int, int]:
    """Returns the records of a call, and how many calls take about `--turn_seconds`."""
    records, seconds = 1, 0.0
    while seconds < TURN_SECONDS.value / 4 and records < work.at_once:
        records = min(4 * records, work.at_once)
        work.call(records)  # a size that is new may have to be traced
        seconds = seconds_of(work.call, records)
    records_a_turn = TURN_SECONDS.value / seconds * records
    records = max(1, min(work.at_once, round(records_a_turn)))
    work.call(records)
    return records, max(1, round(records_a_turn / records))


def compare(rows: list[dict[str, Any]]) -> None:
    """Adds to explanations how fast they are beside others, round by round.

    That is `against`, how many times as fast as TreeSHAP, and `of_prediction`, the share of the
    rate at which the same model predicts.
    """
    predicted = {row["model"]: row["of_rounds"] for row in rows if row["what"] == "prediction"}
    reference = [row["of_rounds"] for row in rows if row["method"] == REFERENCE]
    for row in rows:
        if row["what"] != "explanation":
            continue
        row["of_prediction"] = mean_and_std(
            list(np.divide(row["of_rounds"], predicted[row["model"]]))
        )
        if reference:
            row["against"] = mean_and_std(list(np.divide(row["of_rounds"], reference[0])))


def show(rows: list[dict[str, Any]]) -> None:
    """Prints the rows."""
    cells = [
        [
            row["model"],
            row["method"] or row["what"],
            f"{row['rows_per_second']:,.0f}",
            f"{row['deviation'] / row['rows_per_second']:.1%}",
            f"{row['of_prediction']['mean']:.1%}" if "of_prediction" in row else "–",
            f"{row['against']['mean']:,.1f}" if "against" in row else "–",
        ]
        for row in rows
    ]
    header = ["model", "what", "rows/s", "spread", "of prediction", "times TreeSHAP"]
    print(f"\n{markdown_table(header, cells)}")


if __name__ == "__main__":
    run_program(main, required=["dataset"], turn_seconds=2.0)
