"""How far predicted probabilities are from what comes of them, before and after calibration.

    python -m experiments.calibration --dataset=frappe/nfm --raw_dir=FOLDER
    python -m experiments.calibration --dataset=criteo --generate=120000 --kept_negatives=0.1

Trains InterHAt `tuned` with each of `--seeds` and fits Platt scaling and isotonic regression to
the validation split. Logloss, expected calibration error (20 bins of equally many records) and
predicted over observed clicks are those of the test split, of the model's own probabilities, of
both calibrations, and of the one that the validation split chose. With `--kept_negatives` the
first 80% of a generated log keep only that share of the records without a click, as many real
logs do, and are the set that is trained on; half of the rest, which is whole, is calibrated on and
the other half tests. Writes
`calibration/NAME.json` among the results, for `make page`.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from absl import flags

from experiments.common import studies
from experiments.common.flags import DATA_DIR, EPOCHS
from experiments.common.markdown import markdown_table, spread
from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_and_std
from experiments.faithfulness.models import explained_runs
from experiments.generated_logs.own_log import COLUMNS, HEADER, prepare_own
from interhat_tf.calibration import METHODS, Calibration, probability
from interhat_tf.explanation.batches import predict
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training.calibrating import NONE, calibration_figures, fit_calibration
from interhat_tf.training.evaluation import predict_logits
from interhat_tf.training.metrics import auc
from interhat_tf.training.observed_rates import Reliability

Predictions = tuple[np.ndarray, np.ndarray]
"""Labels and logits."""
Predict = Callable[[Any], Predictions]

FIGURES = ("logloss", "expected_calibration_error", "ratio")
CHOSEN = "chosen"

KEPT = flags.DEFINE_float(
    "kept_negatives", None, "share of a generated log's training rows without a click that is kept"
)


def main(_):
    data, of_data, records = open_data()
    # Of several shares each has its own folders, which are named after the data as well.
    runs = studies.runs_of("interhat", preset="tuned", **of_data)
    found, drawn = {}, {}
    for run, model, _ in explained_runs(runs):
        seed = run["seed"]
        found[seed], curves = measure(*(predict_part(model) for predict_part in records))
        drawn = curves if seed == SEEDS.value[0] else drawn
    of_seeds = [found[seed] for seed in SEEDS.value]  # runs finish in any order
    rows = [
        {
            "way": way,
            **{name: mean_and_std([one[way][name] for one in of_seeds]) for name in FIGURES},
        }
        for way in (NONE, *METHODS, CHOSEN)
    ]
    summary = {
        **studies.study_record(data),
        "kept_negatives": KEPT.value,
        "epochs": EPOCHS.value,
        "seeds": SEEDS.value,
        "auc": mean_and_std([one["auc"] for one in of_seeds]),
        "chosen": [one["method"] for one in of_seeds],
        "rates": {"train": click_rate(data, "train"), "test": drawn["before"].base_rate},
        "rows": rows,
        "curves": {name: curve.to_dict() for name, curve in drawn.items()},
    }
    write_result(f"calibration/{result_name()}.json", summary)
    cells = [[row["way"], *(spread(row[figure], 4) for figure in FIGURES)] for row in rows]
    print(markdown_table(["test", *FIGURES], cells))


def measure(
    fitted_to: Predictions, tested_on: Predictions
) -> tuple[dict[str, Any], dict[str, Reliability]]:
    """Returns the figures of each way on test records, and the curves of before and after."""
    fitted = {method: Calibration.fit(*fitted_to, method) for method in METHODS}
    method = fit_calibration(*fitted_to)[1]["method"]
    labels, logits = tested_on
    predicted = {NONE: probability(logits)}
    predicted |= {name: one.probability(logits) for name, one in fitted.items()}
    predicted[CHOSEN] = predicted[method]
    figures: dict[str, Any] = {
        way: calibration_figures(labels, of_way) for way, of_way in predicted.items()
    }
    curves = {
        "before": Reliability.of(labels, predicted[NONE]),
        f"after, {method}": Reliability.of(labels, predicted[CHOSEN]),
    }
    return {**figures, "method": method, "auc": auc(labels, logits)}, curves


def click_rate(data: PreparedDataset, split: str) -> float:
    """Returns the share of a split's rows that were clicked on."""
    counts = data.statistics["splits"][split]
    return counts["positives"] / counts["rows"]


def open_data() -> tuple[PreparedDataset, dict[str, str], list[Predict]]:
    """Returns the data set, the flags by which a run opens it, and what is fitted to and tested on.

    The last are two functions of a model, which return labels and logits.
    """
    if KEPT.value is None:
        data = studies.open_data()
        splits = ("validation", "test")
        return data, {}, [functools.partial(predict_logits, data=data, split=s) for s in splits]
    log, _ = studies.generated()
    folder = pathlib.Path(DATA_DIR.value)
    name = result_name()
    paths = [log.parent / f"{part}.tsv" for part in (name, "fitted_to", "tested_on")]
    thin_out(log, paths, KEPT.value)
    data = prepare_own(paths[0], name, folder)
    whole = [functools.partial(predict_log, data=data, path=path) for path in paths[1:]]
    return data, {"dataset": name, "data_dir": str(folder)}, whole


def predict_log(model: Any, data: PreparedDataset, path: pathlib.Path) -> Predictions:
    """Returns the labels and logits of a log of Criteo's format with a header."""
    texts = arrow_csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
    table = arrow_csv.read_csv(
        path, parse_options=arrow_csv.ParseOptions(delimiter="\t"), convert_options=texts
    )
    labels = np.array(table["click"].to_pylist(), int)
    return labels, predict(model, data.encode(table, max_unknown=1.0))


def thin_out(log: pathlib.Path, paths: list[pathlib.Path], kept: float) -> None:
    """Writes the first 80% of a log of Criteo's format, thinned out, and the halves of the rest."""
    lines = np.array(log.read_bytes().splitlines(keepends=True), object)
    first, *rest = np.split(lines, [len(lines) * 8 // 10, len(lines) * 9 // 10])
    clicked = np.array([line.startswith(b"1\t") for line in first])
    # From other numbers than the generator's: its values would tell which rows are kept.
    random = np.random.default_rng([0, len(lines)])
    first = first[clicked | (random.random(len(first)) < kept)]
    for path, part in zip(paths, [first, *rest], strict=True):
        path.write_bytes(HEADER.encode() + b"".join(part))


def result_name() -> str:
    """Returns what the result is called: the data set's name, and that it was thinned out."""
    thinned = "" if KEPT.value is None else f"_negatives_{100 * KEPT.value:.0f}"
    return f"{studies.result_name()}{thinned}"


if __name__ == "__main__":
    run_program(main, required=["dataset"], seeds=[1, 2, 3])
