"""How long it takes from a raw log to a logloss on validation: reading, preparing, training.

    python -m experiments.speed.time_to_quality --quality_rows=10000000
    python -m experiments.speed.time_to_quality --dataset=movielens_ctr --raw_dir=FOLDER

Prepares a generated Criteo log, or a data set's original files, once, in a process of its own.
Trains InterHAt, `tuned`, DeepFM, DNN, LightGBM and an EBM one after the other, each in its process
on all cores, the last two as their libraries have them by default, until validation gains no more
or `--limit` seconds are over. `quality_curves` says what counts; the seconds of preparation come
before all of a model's. Imports do not count.

Writes `time_to_quality/NAME/summary.json` after each model. Models that an earlier run measured,
on the same records and machine, stay there. At most five times `--limit` and what preparing takes:
of 10 million rows on 2 cores 3 hours, 16 GB of memory and 10 GB of disk, of MovieLens one hour;
nothing else should run meanwhile.
"""

import concurrent.futures.process
import datetime
import pathlib
import shutil
import time
from typing import Any

from absl import flags

from experiments.common.flags import DATA_DIR, DATASET, RAW_DIR, chosen_models
from experiments.common.markdown import markdown_table
from experiments.common.results import read_result, record, result_path, write_result
from experiments.common.running import run_program
from experiments.generated_logs.own_log import prepare_own
from experiments.speed.preparation import peak_gigabytes
from experiments.speed.processes import run_alone
from experiments.speed.quality_curves import Clock, ebm_curve, lightgbm_curve, neural_curve
from experiments.speed.scoring import write_log
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.utils.threads import number_of_threads

# The layers of Table 3's search space, with batch normalisation.
_MLP = {"mlp_units": [200, 200], "batch_norm": True, "embedding_dim": 16}
NEURAL: dict[str, dict[str, Any]] = {"interhat": {}, "deepfm": _MLP, "dnn": _MLP}
TREES = {"lightgbm": lightgbm_curve, "ebm": ebm_curve}

MIN_COUNT = 10
"""Rows that a value of the generated log needs, as where BARS prepares Criteo's."""

QUALITY_ROWS = flags.DEFINE_integer("quality_rows", 10_000_000, "rows of the generated log")
LIMIT = flags.DEFINE_float("limit", 1800, "seconds of a model's training, at most")


def main(_):
    folder = pathlib.Path(DATA_DIR.value) / "time_to_quality"
    source = (DATASET.value, RAW_DIR.value)
    log = None if DATASET.value else write_log(folder, QUALITY_ROWS.value)
    shutil.rmtree(folder / "sets", ignore_errors=True)
    prepared = run_alone(prepare, folder / "sets", log, source)
    about = {"set": prepared.pop("set"), "rows": prepared["rows"]}
    if not DATASET.value:
        about["note"] = f"a generated log of Criteo's format, without values of < {MIN_COUNT} rows"
    models = earlier_models(about)
    for name in chosen_models([*NEURAL, *TREES]):
        try:
            found = run_alone(train, folder / "sets", log, source, name, LIMIT.value)
        except concurrent.futures.process.BrokenProcessPool:
            found = {"failed": "its process was ended, for want of memory as a rule", "curve": []}
        print(name, found.get("failed") or found["curve"][-1], flush=True)
        today = datetime.date.today().isoformat()
        models[name] = {"date": today, "limit": LIMIT.value, **found}
        models = {known: models[known] for known in (*NEURAL, *TREES) if known in models}
        reached = times_to_reach(models, prepared["seconds"])
        measured = {"prepared": prepared, "models": models, "reached": reached}
        write_result(summary_path(), {**start_of_summary(about), **measured})
    header = ["until the logloss of", *models]
    cells = [
        [f"{name}, {row['logloss']:.4f}", *(_seconds(row["seconds"][m]) for m in models)]
        for name, row in reached.items()
    ]
    print(markdown_table(header, cells))


def start_of_summary(data: dict[str, Any]) -> dict[str, Any]:
    """Returns what a summary says before its figures."""
    return record("lightgbm", "interpret-core", data=data, threads=number_of_threads())


def earlier_models(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the models that the summary has already.

    Raises:
        ValueError: If they are of other records or of another machine.
    """
    earlier = read_result(summary_path())
    if earlier is None:
        return {}
    was, now = (
        {"machine": s["versions"]["machine"], "threads": s["threads"], **s["data"]}
        for s in (earlier, start_of_summary(data))
    )
    if was != now:
        raise ValueError(
            f"{result_path(summary_path())}: its models are of {was}, not of {now}; move it away, "
            "or give another --results_dir"
        )
    return earlier["models"]


def summary_path() -> str:
    """Returns where the result is written."""
    generated = f"criteo_generated_{QUALITY_ROWS.value}"
    name = DATASET.value.replace("/", "_") if DATASET.value else generated
    return f"time_to_quality/{name}/summary.json"


def times_to_reach(models: dict[str, dict[str, Any]], before: float) -> dict[str, dict[str, Any]]:
    """Returns the seconds after which each model is as good as each one's best.

    Args:
        models: The models' curves.
        before: Seconds of preparation.

    Returns:
        For each model its best `logloss`, and the `seconds` after which each model was at
        most at that, from the raw log on; `None` where it never was.

    Example:

    >>> curves = {"a": [(1.0, 0.5), (2.0, 0.4)], "b": [(3.0, 0.45)]}
    >>> points = {m: [{"seconds": s, "logloss": x} for s, x in c] for m, c in curves.items()}
    >>> found = times_to_reach({m: {"curve": c} for m, c in points.items()}, before=10.0)
    >>> found["a"]["seconds"], found["b"]["seconds"]
    ({'a': 12.0, 'b': None}, {'a': 12.0, 'b': 13.0})
    """
    curves = {name: model["curve"] for name, model in models.items() if model["curve"]}
    best = {name: min(p["logloss"] for p in curve) for name, curve in curves.items()}
    return {
        name: {
            "logloss": target,
            "seconds": {
                other: next(
                    (
                        before + point["seconds"]
                        for point in curves.get(other, [])
                        if point["logloss"] <= target
                    ),
                    None,
                )
                for other in models
            },
        }
        for name, target in best.items()
    }


def open_data(
    folder: pathlib.Path, log: pathlib.Path | None, source: tuple[str, str | None]
) -> PreparedDataset:
    """Returns the set, prepared if it is not there: a log's, or a named one's."""
    if log is not None:
        return prepare_own(log, "quality", folder, MIN_COUNT)
    return prepared_dataset(source[0], folder, source[1])


def prepare(folder: pathlib.Path, *log: Any) -> dict[str, Any]:
    """Prepares the set in this process; returns what that took."""
    start = time.perf_counter()
    data = open_data(folder, *log)
    seconds = time.perf_counter() - start
    rows = data.statistics["records"]
    return {"set": data.name, "rows": rows, "seconds": seconds, "rows_per_second": rows / seconds}


def train(
    folder: pathlib.Path,
    log: pathlib.Path | None,
    source: tuple[str, str | None],
    name: str,
    limit: float,
) -> dict[str, Any]:
    """Trains a model in this process; returns its curve."""
    data = open_data(folder, log, source)
    clock = Clock(limit)
    if name in NEURAL:
        neural_curve(name, NEURAL[name], data, clock, seed=0)
    else:
        TREES[name](data, clock, seed=0)
    return {"curve": clock.curve, "seconds": clock.seconds, "peak_gigabytes": peak_gigabytes()}


def _seconds(value):
    return "–" if value is None else f"{value:,.0f} s"


if __name__ == "__main__":
    run_program(main)
