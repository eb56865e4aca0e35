"""How exactly contributions add up to the logit, and what an explanation costs.

    python -m experiments.faithfulness.additivity --dataset=frappe/nfm --raw_dir=FOLDER

Takes a `released` InterHAt with each of `--seeds`, explains the first
10,000 test records, and compares bias and contributions with the logit. Then it
predicts and explains the same records in turn. Writes `experiments/results/
faithfulness/sums/NAME/summary.json`, for `experiments.faithfulness.page`. Runs
that are done are not run again.
"""

import time

import numpy as np

from experiments.common.run_flags import SEEDS
from experiments.common.running import run_program
from experiments.common.studies import heading, open_data, results_folder
from experiments.faithfulness.models import explained_runs, released_runs
from interhat_tf.commands.conditions import first_records
from interhat_tf.explanation.batches import explain_batches, in_batches
from interhat_tf.utils.files import write_json

RECORDS = 10_000
ROUNDS = 15
BATCH_SIZE = 2048


def main(_):
    data = open_data()
    records = first_records(data, "test", RECORDS)
    rows = len(next(iter(records.values())))
    batches = list(in_batches(records, BATCH_SIZE))
    errors, logits, seconds = [], [], []
    for _, model, _ in explained_runs(released_runs()):
        explained = [explanation for _, explanation in explain_batches(model, batches)]
        errors.append(max(largest_error(part) for part in explained))
        logits.append(max(float(np.abs(part["logits"]).max()) for part in explained))
        predict(model, batches)  # compiles it, as the above has compiled explaining
        seconds += [(predict(model, batches), explain(model, batches)) for _ in range(ROUNDS)]
    predicting, explaining = np.array(seconds).T
    ratios = predicting / explaining
    summary = {
        **heading(data),
        "records": rows,
        "seeds": list(SEEDS.value),
        "batch_size": BATCH_SIZE,
        "rounds": len(ratios),
        "largest_error": max(errors),
        "largest_logit": max(logits),
        "predicted_per_second": rows / float(np.median(predicting)),
        "explained_per_second": rows / float(np.median(explaining)),
        "share_of_prediction": {
            "median": float(np.median(ratios)),
            "low": float(np.quantile(ratios, 0.1)),
            "high": float(np.quantile(ratios, 0.9)),
        },
    }
    write_json(results_folder("faithfulness/sums") / "summary.json", summary)
    print(
        f"{rows:,} records: largest error {summary['largest_error']:.1e}; explained at "
        f"{summary['share_of_prediction']['median']:.0%} of prediction's rows/s"
    )


def largest_error(explained):
    """Returns the largest distance between a logit and the sum of what it is made of.

    The sum is taken in double precision.
    """
    total = (
        explained["contributions"].astype("float64").sum(axis=(1, 2)) + explained["bias"]
    )  # (B,)
    return float(np.abs(total - explained["logits"]).max())


def predict(model, batches):
    """Returns the seconds that predicting takes."""
    start = time.perf_counter()
    for batch in batches:
        model.predict_on_batch(batch)
    return time.perf_counter() - start


def explain(model, batches):
    """Returns the seconds that explaining takes."""
    start = time.perf_counter()
    for _ in explain_batches(model, batches):
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    run_program(main, required=["dataset"])
