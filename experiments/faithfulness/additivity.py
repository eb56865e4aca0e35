"""How exactly contributions add up to the logit, and what an explanation costs.

    python -m experiments.faithfulness.additivity --dataset=frappe/nfm --raw_dir=FOLDER

Takes a `released` InterHAt with each of `--seeds`, explains the first 10,000
test records, and compares bias and contributions with the logit. Then it
predicts and explains the same records in turn. Writes
`faithfulness/additivity/NAME/summary.json`, for `make page`. Runs that are done
are not run again.
"""

import time
from collections.abc import Callable

import numpy as np

from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.studies import open_data, runs_of, study_record, summary_of
from experiments.faithfulness.models import explained_runs
from experiments.paper.sensitivity import PRESET
from interhat_tf.explanation.batches import explain_batches, in_batches
from interhat_tf.explanation.selection import first_records

RECORDS = 10_000
ROUNDS = 15
BATCH_SIZE = 2048


def main(_):
    data = open_data()
    records = first_records(data, "test", RECORDS)
    rows = len(next(iter(records.values())))
    batches = list(in_batches(records, BATCH_SIZE))
    errors, logits, seconds = [], [], []
    for _, model, _ in explained_runs(runs_of("interhat", preset=PRESET)):
        explained = [explanation for _, explanation in explain_batches(model, batches)]
        errors.append(max(largest_error(part) for part in explained))
        logits.append(max(float(np.abs(part["logits"]).max()) for part in explained))
        tasks = (
            lambda model=model: [model.predict_on_batch(batch) for batch in batches],
            lambda model=model: list(explain_batches(model, batches)),
        )
        tasks[0]()  # compiles it, as the above has compiled explaining
        seconds += [[seconds_of(task) for task in tasks] for _ in range(ROUNDS)]
    predicting, explaining = np.array(seconds).T
    ratios = predicting / explaining
    low, median, high = np.quantile(ratios, [0.1, 0.5, 0.9]).tolist()
    summary = {
        **study_record(data),
        "records": rows,
        "seeds": SEEDS.value,
        "batch_size": BATCH_SIZE,
        "rounds": len(ratios),
        "largest_error": max(errors),
        "largest_logit": max(logits),
        "predicted_per_second": rows / float(np.median(predicting)),
        "explained_per_second": rows / float(np.median(explaining)),
        "share_of_prediction": {"median": median, "low": low, "high": high},
    }
    write_result(summary_of("faithfulness/additivity"), summary)
    print(
        f"{rows:,} records: largest error {summary['largest_error']:.1e}; explained at "
        f"{median:.0%} of prediction's rows/s"
    )


def largest_error(explained: dict[str, np.ndarray]) -> float:
    """Returns the largest distance between a logit and the sum, in float64, of its parts."""
    contributions = explained["contributions"].astype("float64").sum(axis=(1, 2))  # (B,)
    return float(np.abs(contributions + explained["bias"] - explained["logits"]).max())


def seconds_of(task: Callable) -> float:
    """Returns the seconds that a call takes."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


if __name__ == "__main__":
    run_program(main, required=["dataset"])
