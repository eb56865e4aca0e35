"""What a field of several values costs: a log with one beside the same log without it.

    python -m experiments.speed.value_lists

Prepares generated logs of a MovieLens rating's columns with a bag of values, or a history, and
once without, and reads all of them, for training and for evaluation, in turn, round after
round. Writes `speed/value_lists.json` among the results. Five minutes on 2 cores, with nothing
else running.
"""

import itertools
import pathlib
import tempfile
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from absl import flags
from tqdm.auto import tqdm

from experiments.common.markdown import markdown_table, spread
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.speed.paper_sizes import log_uniform
from experiments.speed.processes import ROUNDS
from interhat_tf import prepare_click_log
from interhat_tf.input_pipeline.dataset import PreparedDataset

LIST_ROWS = flags.DEFINE_integer("list_rows", 400_000, "rows of a log", lower_bound=1000)

MOVIES, TAGS, OTHERS = 20_000, 50, 1_000
"""Distinct values of a movie and of a history, of a tag, and of each other column."""
COLUMNS = 6
"""Other columns of one category; two are of numbers."""
LENGTHS = {"tags": 6, "history of 20": 20, "history of 100": 100}
"""The longest list of each column of several values; a list is half as long on average."""
BATCH_SIZE, EVALUATED = 2048, 8192


def main(_):
    log = made_up(np.random.default_rng(0), LIST_ROWS.value)
    with tempfile.TemporaryDirectory() as folder:
        without, seconds = prepared(log, folder)
        sets = {None: without}
        of_preparing = {None: seconds}
        for column in LENGTHS:
            sets[column], of_preparing[column] = prepared(log, folder, column)
        read = read_in_turn(sets)
    rows = [
        {
            "column": column,
            "longest": longest,
            "preparing": of_preparing[None] / of_preparing[column],
            **{
                way: mean_and_std(list(np.divide(read[way, column], read[way, None])))
                for way in READERS
            },
        }
        for column, longest in LENGTHS.items()
    ]
    about = {"rows": LIST_ROWS.value, "rounds": ROUNDS.value, "batch": BATCH_SIZE}
    rates = {way: mean_and_std(read[way, None]) for way in READERS}
    rates["preparing"] = LIST_ROWS.value / of_preparing[None]
    write_result("speed/value_lists.json", record(**about, without=rates, columns=rows))
    cells = [
        [row["column"], f"{row['preparing']:.2f}", *(spread(row[way], 2) for way in READERS)]
        for row in rows
    ]
    print(markdown_table(["column", "preparing", *READERS], cells))


def made_up(rng: np.random.Generator, rows: int) -> pa.Table:
    """Returns a log with all columns of several values."""
    log: dict[str, Any] = {
        "click": rng.integers(0, 2, rows),
        "movie": log_uniform(rng, MOVIES, rows),
        **{f"category_{i}": log_uniform(rng, OTHERS, rows) for i in range(COLUMNS)},
        **{f"number_{i}": rng.random(rows) for i in range(2)},
    }
    for column, longest in LENGTHS.items():
        offsets = np.concatenate([[0], np.cumsum(rng.integers(0, longest + 1, rows))])
        values = log_uniform(rng, TAGS if column == "tags" else MOVIES, offsets[-1])
        log[column] = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))
    return pa.table(log)


def prepared(
    log: pa.Table, folder: str, column: str | None = None
) -> tuple[PreparedDataset, float]:
    """Prepares a log with one of its columns of several values, or none.

    Returns:
        The prepared set, and the seconds that it took.
    """
    given: dict[str, Any] = {}
    if column == "tags":
        given = {"multivalued": column}
    elif column:
        given = {"sequence": column, "shares": {column: "movie"}}
    if column:
        given["max_values"] = LENGTHS[column]
    log = log.drop([name for name in LENGTHS if name != column])
    name = (column or "none").replace(" ", "_")
    start = time.perf_counter()
    data = prepare_click_log(log, name=name, data_dir=str(pathlib.Path(folder, name)), **given)
    return data, time.perf_counter() - start


def read_in_turn(
    sets: dict[str | None, PreparedDataset],
) -> dict[tuple[str, str | None], list[float]]:
    """Returns the rows a second of each way of reading each set, in each round."""
    found: dict[tuple[str, str | None], list[float]] = {}
    for turn in tqdm(range(ROUNDS.value + 1), desc="rounds", disable=None):
        for (way, read), (column, data) in itertools.product(READERS.items(), sets.items()):
            start = time.perf_counter()
            for _ in read(data):
                pass
            if turn:  # the first one warms up
                rate = data.num_rows("train") / (time.perf_counter() - start)
                found.setdefault((way, column), []).append(rate)
    return found


def training(data: PreparedDataset) -> Iterable[Any]:
    """Returns an epoch of shuffled batches."""
    return data.training_batches(BATCH_SIZE, seed=0).take(data.num_batches(BATCH_SIZE))


def evaluating(data: PreparedDataset) -> Iterable[Any]:
    """Returns the same split's batches in order."""
    return data.evaluation_batches("train", EVALUATED)


READERS = {"training": training, "evaluating": evaluating}


if __name__ == "__main__":
    run_program(main)
