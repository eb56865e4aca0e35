"""Trains a model on from day to day, beside training from scratch on all days so far.

    taskset -c 0 python -m experiments.robustness.continued_training

A log of `experiments/generated_logs/days.py`, with new users and ads each day. After
each of five days three models predict the next one: `continued`, the model of the day before
grown and trained on with the day's rows alone; `scratch`, built and trained on the rows of all days
so far; and `left`, the first day's model as it was. Writes `continued_training/summary.json`: AUC
and logloss on the next day, those of the true probabilities, the share of the next day's rows
with a user or an ad that a model does not know, and the seconds of preparing and training, on the
clock and of the processor. About 4 minutes on one core.
"""

import pathlib
import tempfile
import time
from typing import Any

import keras
import numpy as np
from absl import flags
from pyarrow import csv

from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_and_std, paired_difference
from experiments.generated_logs.days import Days
from interhat_tf import InterHAt, TrainingSettings, grow_model, prepare_click_log, train
from interhat_tf.input_pipeline.dataset import EVALUATION_BATCH_SIZE, PreparedDataset
from interhat_tf.training.metrics import auc, logloss

MODEL = {"embedding_dim": 8, "num_heads": 2, "attention_size": 8, "order": 2, "embedding_l2": 1e-3}
# A single occurrence is no user to learn from, and trains the unknown one.
PREPARED = {"min_count": 2}
SETTINGS = TrainingSettings(
    batch_size=256, learning_rate=2e-3, ema_momentum=0.99, criterion="logloss", patience=1
)
METHODS = ("continued", "scratch", "left")

DAYS = flags.DEFINE_integer("days", 5, "days that are trained on", lower_bound=2)
ROWS = flags.DEFINE_integer("day_rows", 60_000, "rows of a day", lower_bound=1)


def main(_):
    rows = []
    for seed in SEEDS.value:
        with tempfile.TemporaryDirectory() as folder:
            rows += follow_days(pathlib.Path(folder), seed, DAYS.value, ROWS.value)
    summary = {
        **record(seeds=SEEDS.value),
        **{"rows_a_day": ROWS.value, "model": MODEL, "days": summarise(rows)},
        "runs": rows,
    }
    write_result("continued_training/summary.json", summary)
    for row in summary["days"]:
        for method in METHODS:
            said = row[method]
            seconds = said["preparing_cpu_seconds"]["mean"] + said["training_cpu_seconds"]["mean"]
            print(
                f"day {row['day']}, {method}: auc {said['auc']['mean']:.4f} "
                f"({said['auc']['std']:.4f}), logloss {said['logloss']['mean']:.4f} "
                f"({said['logloss']['std']:.4f}), {seconds:.0f} s"
            )


def follow_days(folder: pathlib.Path, seed: int, days: int, rows: int) -> list[dict[str, Any]]:
    """Returns what each method's model of each day says of the next day's rows."""
    log = Days(seed)
    paths = [folder / "log" / f"day{number}.csv" for number in range(1, days + 2)]
    logits = [log.write(number, rows, path) for number, path in enumerate(paths, 1)]
    found, continued, first = [], None, None
    for day in range(1, days + 1):
        continued = train_on(folder, seed, day, continued)
        first = first or continued
        scratch = continued if day == 1 else train_from_scratch(folder, seed, day)
        next_day = csv.read_csv(paths[day])
        clicks = np.asarray(next_day["click"])
        truth = {"auc": auc(clicks, logits[day]), "logloss": logloss(clicks, logits[day])}
        found.append({"seed": seed, "day": day, "truth": truth})
        for method, trained in zip(METHODS, (continued, scratch, first), strict=True):
            found[-1][method] = {**trained["cost"], **predict(trained, next_day, clicks)}
    return found


def train_on(folder: pathlib.Path, seed: int, day: int, earlier: Any) -> dict[str, Any]:
    """Prepares a day's log and trains the model of the day before on, if there is one."""
    clocks = Clocks()
    how = {"grow": earlier["data"]} if earlier else PREPARED
    data = prepare_click_log(
        folder / "log" / f"day{day}.csv", name=f"day{day}", data_dir=folder / "prepared", **how
    )
    clocks.note("preparing")
    keras.utils.set_random_seed(seed)
    model = grow_model(earlier["model"], data) if earlier else InterHAt(data.schema, **MODEL)
    start_from = folder / f"run{day - 1}" if earlier else None
    report = train(model, data, folder / f"run{day}", SETTINGS, start_from=start_from, test=False)
    return _trained(model, data, report, clocks)


def train_from_scratch(folder: pathlib.Path, seed: int, day: int) -> dict[str, Any]:
    """Prepares the logs of all days so far and trains a new model."""
    clocks = Clocks()
    paths = [folder / "log" / f"day{number}.csv" for number in range(1, day + 1)]
    data = prepare_click_log(paths, name=f"to_day{day}", data_dir=folder / "prepared", **PREPARED)
    clocks.note("preparing")
    keras.utils.set_random_seed(seed)
    model = InterHAt(data.schema, **MODEL)
    report = train(model, data, folder / f"scratch{day}", SETTINGS, test=False)
    return _trained(model, data, report, clocks)


def _trained(model, data, report, clocks):
    clocks.note("training")
    cost = {**clocks.seconds, "epochs": report["training"]["epochs"]}
    return {"model": model, "data": data, "cost": cost}


class Clocks:
    """The seconds of what is done, on the clock and of the processor.

    Attributes:
        seconds: Both, of each part that was noted.
    """

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._start()

    def _start(self):
        self._started = time.monotonic(), time.process_time()

    def note(self, part: str) -> None:
        """Notes what has passed since the last part, or the start."""
        clock, processor = self._started
        self.seconds[f"{part}_seconds"] = time.monotonic() - clock
        self.seconds[f"{part}_cpu_seconds"] = time.process_time() - processor
        self._start()


def predict(trained: dict[str, Any], log: Any, clicks: np.ndarray) -> dict[str, float]:
    """Returns a model's metrics on a log, and how many of its rows have an unknown user or ad."""
    data: PreparedDataset = trained["data"]
    inputs = data.encode(log, max_unknown=1.0)
    logits = trained["model"].predict(inputs, batch_size=EVALUATION_BATCH_SIZE, verbose=0)[:, 0]
    ids = inputs["categorical"]  # (rows, C)
    return {
        "auc": auc(clicks, logits),
        "logloss": logloss(clicks, logits),
        "unknown": float((ids == 0).any(axis=1).mean()),
    }


def summarise(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns a line a day: means and deviations over the seeds, and the paired difference."""
    lines = []
    for day in sorted({row["day"] for row in rows}):
        of_day = [row for row in rows if row["day"] == day]
        line: dict[str, Any] = {"day": day}
        for method in ("truth", *METHODS):
            line[method] = {
                name: mean_and_std([row[method][name] for row in of_day])
                for name in of_day[0][method]
            }
        line["difference"] = {
            name: paired_difference(*([row[m][name] for row in of_day] for m in METHODS[:2]))
            for name in ("auc", "logloss")
        }
        lines.append(line)
    return lines


if __name__ == "__main__":
    run_program(main, seeds=[1, 2, 3])
