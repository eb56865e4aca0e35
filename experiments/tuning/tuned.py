"""How the preset `tuned` was chosen: the preset, and one change at a time, on validation.

    python -m experiments.tuning.tuned --dataset=frappe/nfm --raw_dir=FOLDER
    python -m experiments.tuning.tuned --dataset=movielens_ctr --epochs=8 --change=preset
    python -m experiments.tuning.tuned --dataset=criteo --generate=1000000 --change=preset

Every setting is trained with all of `--seeds`; `--change=NAME` chooses one, and the
summary keeps the others. Writes `tuned/NAME/summary.json`; the test split is not read.
A run takes two minutes on one core on Frappe. `deepfm` is what its spread over
seeds is compared with, with the settings that Table 3 chose on Frappe.
"""

from typing import Any

from experiments.common.changes import try_changes
from experiments.common.running import run_program

FORM = {"model": "interhat", "preset": "tuned"}
_ATTENTION = {"self_attention": True, "num_heads": 1, "key_dim": 16}
_DEEPFM = {
    "model": "deepfm",
    "embedding_dim": 10,
    "embedding_l2": 2.5e-2,
    "mlp_units": [200, 200],
    "batch_norm": True,
    "dropout": 0.1,
    "learning_rate": 1e-3,
    "batch_size": 1024,
}
CHANGES: dict[str, dict[str, Any]] = {
    "preset": {},
    "order 1": {"order": 1},
    "order 3": {"order": 3},
    "self-attention as printed": {**_ATTENTION, "residual": False},
    "self-attention as released": _ATTENTION,
    "gated attention": {"gated_attention": True},
    "plain scores": {"score_batch_norm": False},
    "d 16": {"embedding_dim": 16},
    "values 100": {"value_dim": 100},
    "values 400": {"value_dim": 400},
    "no hidden layer": {"mlp_units": []},
    "hidden layer 400": {"mlp_units": [400]},
    "dropout 0.1": {"dropout": 0.1},
    "dropout 0.3": {"dropout": 0.3},
    "EMA 0.99": {"ema_momentum": 0.99},
    "EMA 0.998": {"ema_momentum": 0.998},
    "falling learning rate": {"learning_rate_factor": 0.1, "patience": 2},
    "patience 5": {"patience": 5},
    "learning rate 5e-4": {"learning_rate": 5e-4},
    "learning rate 2e-3": {"learning_rate": 2e-3},
    **{f"embeddings {l2:.0e}": {"embedding_l2": l2} for l2 in (0.0, 1e-6, 1e-5, 1e-4, 1e-3)},
    **{f"embeddings {l2}": {"embedding_l2": l2} for l2 in (2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2)},
    "deepfm": _DEEPFM,
    "deepfm, EMA": {**_DEEPFM, "ema_momentum": 0.995},
    **{f"deepfm, embeddings {l2:.0e}": {**_DEEPFM, "embedding_l2": l2} for l2 in (1e-5, 1e-3)},
}
"""What is changed in the preset, as flags of `experiments.train`."""


def main(_):
    try_changes("tuned", FORM, CHANGES)


if __name__ == "__main__":
    run_program(main, required=["dataset"], seeds=[0, 1])
