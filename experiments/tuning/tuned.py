"""How the preset `tuned` was chosen: the preset, and one change at a time, on validation.

    python -m experiments.tuning.tuned --dataset=frappe/nfm --raw_dir=FOLDER
    python -m experiments.tuning.tuned --dataset=movielens_ctr --change=preset
    python -m experiments.tuning.tuned --dataset=criteo/all_fields --generate=2000000

A log of one's own, once `interhat prepare` has prepared it, is tried by its name as well.

Every setting is trained with all of `--seeds`; `--change=NAME` chooses one, or
several at a time as `--change="pair values + d 64"`, and the summary keeps the
others. Writes `tuned/NAME/summary.json`; the test split is not read. A run takes
three minutes on one core on Frappe. `deepfm` is what its spread over seeds is
compared with, with the setting that Table 3 chose on the data set, or on Frappe;
where it chose on Frappe alone, with other penalties too, and weights averaged as
the preset's. So is `lr`, for how far the others are from it to the best possible
AUC of a generated log.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from experiments.common import studies
from experiments.common.changes import try_changes
from experiments.common.running import run_program
from experiments.common.table_3_files import chosen_setting
from interhat_tf.models.presets import PRESETS, hyperparameters, number_of_values

# What is chosen does not depend on the alignment after the training, which takes its time.
FORM = {"model": "interhat", "preset": "tuned", "effect_weight": 0.0}
_ATTENTION = {"self_attention": True, "num_heads": 1, "key_dim": 16}
FALLING = {"learning_rate_factor": 0.1, "patience": 2}
CHANGES: dict[str, dict[str, Any]] = {
    "preset": {},
    "order 1": {"order": 1},
    "order 3": {"order": 3},
    "self-attention as printed": {**_ATTENTION, "residual": False},
    "self-attention as released": _ATTENTION,
    "gated attention": {"gated_attention": True},
    "plain scores": {"score_batch_norm": False},
    "d 10": {"embedding_dim": 10},
    "d 16": {"embedding_dim": 16},
    "d 32": {"embedding_dim": 32},
    "d 48": {"embedding_dim": 48},
    "d 64": {"embedding_dim": 64},
    "shared values": {"shared_values": True},
    "shared values, d 16": {"shared_values": True, "embedding_dim": 16},
    "values of each order": {"shared_values": False},
    "values of each order, d 32": {"shared_values": False, "embedding_dim": 32},
    "pair values": {"pair_values": True},
    "no pair values": {"pair_values": False},
    **{f"values {size}": {"value_dim": size} for size in (80, 100, 200, 400)},
    "no hidden layer": {"mlp_units": []},
    "hidden layer 400": {"mlp_units": [400]},
    "no dropout": {"dropout": 0.0},
    "dropout 0.2": {"dropout": 0.2},
    "dropout 0.3": {"dropout": 0.3},
    "EMA 0.99": {"ema_momentum": 0.99},
    "EMA 0.995": {"ema_momentum": 0.995},
    "EMA 0.998": {"ema_momentum": 0.998},
    "EMA 0.9998": {"ema_momentum": 0.9998},
    **{f"self-distillation {n}": {"self_distillation": n} for n in (0.3, 1.0, 3.0)},
    "falling learning rate": FALLING,
    "fixed penalty": {"penalty_factor": 1.0},
    "penalty grows fourfold": {"penalty_factor": 4.0},
    "patience 3": {"patience": 3},
    "patience 10": {"patience": 10},
    "learning rate 2e-4": {"learning_rate": 2e-4},
    "learning rate 1e-3": {"learning_rate": 1e-3},
    "learning rate 2e-3": {"learning_rate": 2e-3},
    **{f"batch {size}": {"batch_size": size} for size in (32, 64, 128, 256, 512, 1024, 2048)},
}
"""What is changed in the preset, as flags of `experiments.train`."""
STRENGTHS = (0, 0.037, 0.12, 0.37, 1.2, 3.7, 12, 37)
"""Fixed penalties of the embeddings, in place of the preset's 1.2, 3.7 or 12 times values.

Of the values those count that count in the preset."""
LR_PENALTIES = (1e-7, 1e-6, 1e-5, 1e-4)
DEEPFM_PENALTIES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)


def main(_):
    try_changes("tuned", FORM, changes())


def changes() -> dict[str, dict[str, Any]]:
    """Returns `CHANGES` with the penalties that belong to a data set, and its DeepFM."""
    data = studies.open_data()
    rows = data.num_rows("train")
    preset, training = hyperparameters(None, "tuned", rows=rows, schema=data.schema)
    form = PRESETS["tuned"].for_log(rows, number_of_values(data.schema, rows))
    share = preset["embedding_l2"] / form.l2
    fixed = {"penalty_factor": 1.0}
    penalties = {f"penalty {n}": {"embedding_l2": n * share, **fixed} for n in STRENGTHS}
    falling = {f"{name}, falling": {**flags, **FALLING} for name, flags in penalties.items()}
    others = [
        *_other("lr", LR_PENALTIES, training["ema_momentum"]),
        *_other("deepfm", DEEPFM_PENALTIES, training["ema_momentum"]),
    ]
    return {**CHANGES, **penalties, **falling, **dict(others)}


def _other(
    model: str, penalties: Sequence[float], ema_momentum: float
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields names and flags of another model: as Table 3 chose it here, or of some penalties."""
    here = chosen_setting(studies.result_name(), model)
    if here:
        yield model, {"model": model, **here}
    elif setting := chosen_setting("frappe", model):
        flags = {"model": model, **setting, "ema_momentum": ema_momentum}
        yield model, flags
        for l2 in penalties:
            yield f"{model}, penalty {l2}", {**flags, "embedding_l2": l2}
            yield f"{model}, penalty {l2}, falling", {**flags, "embedding_l2": l2, **FALLING}


if __name__ == "__main__":
    run_program(main, required=["dataset"], seeds=[0, 1])
