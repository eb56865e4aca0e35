"""Which penalty the printed equations need: the preset `paper`, and others on validation.

    python -m experiments.tuning.paper_penalty --dataset=frappe/nfm --raw_dir=FOLDER

`printed` is Equation 6: lambda is added to the sum of all records' losses, so that
lambda / |D| stands beside their mean. The others penalise the embeddings alone, or
add lambda to the mean. Writes `paper_penalty/NAME/summary.json`; the test split is
not read. The best of the embeddings' penalties is the preset `paper_searched`.
"""

from typing import Any

from experiments.common.changes import try_changes
from experiments.common.running import run_program

FORM = {"model": "interhat", "preset": "paper"}
LAMBDA = 2e-3


def of_embeddings(strength: float) -> dict[str, float]:
    """Returns the flags of a penalty of the embeddings alone, beside the mean loss."""
    return {"embedding_l2": strength, "aggregation_l2": 0.0, "dense_l2": 0.0}


CHANGES: dict[str, dict[str, Any]] = {
    "printed": {},
    "none": of_embeddings(0.0),
    "lambda beside the mean": {f"{p}_l2": LAMBDA for p in ("embedding", "aggregation", "dense")},
    "embeddings 1e-4": of_embeddings(1e-4),
    "embeddings 5e-4": of_embeddings(5e-4),
    "embeddings 2e-3": of_embeddings(2e-3),
    "embeddings 5e-3": of_embeddings(5e-3),
    "embeddings 2.5e-2": of_embeddings(2.5e-2),
}


def main(_):
    try_changes("paper_penalty", FORM, CHANGES)


if __name__ == "__main__":
    run_program(main, required=["dataset"], seeds=[0, 1])
