"""InterHAt's presets, whole: what each form is made of, and what it is trained with.

Arguments of the model and of `training.TrainingSettings` stand together, as plain
data. `InterHAt.from_preset` and the command line of `experiments` read them here.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Preset:
    """A form of InterHAt.

    Args:
        arguments: Arguments of `InterHAt`; they win over those of a data set.
        penalties: The L2 penalties that are a share of the data set's, by
            argument of `InterHAt`.
        training: Arguments of `TrainingSettings`; they win over those of a data
            set.
    """

    arguments: Mapping[str, Any]
    penalties: Mapping[str, float]
    training: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class DatasetRow:
    """What fits a data set, whatever the form.

    Args:
        sizes: Arguments of `InterHAt`: d, s and h.
        l2: The regularisation weight lambda.
        training: Arguments of `TrainingSettings` for any model. The paper gives
            neither learning rate nor batch size: these were chosen on validation.
        microbatch_size: On a CPU, how many of InterHAt's records stay in a
            core's cache. It changes no result but by rounding.
    """

    sizes: Mapping[str, int]
    l2: float
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    microbatch_size: int | None = None


_RELEASED = {
    "attention_activation": "relu",
    "attention_bias": True,
    "residual": True,
    "aggregation_bias": True,
    "order_attention_size": 16,
    "order_activation": None,
    "mlp_bias": False,
}

PRESETS = {
    # The equations as printed (Sections 3.1 to 3.4). Section 3.4's "shallow MLP" has no sizes,
    # so it takes the released code's, with the usual biases. Equation 6 penalises all weights.
    "paper": Preset(
        arguments={
            "attention_activation": None,
            "attention_bias": False,
            "residual": False,
            "aggregation_bias": False,
            "order_attention_size": None,
            "order_activation": "relu",
            "mlp_bias": True,
        },
        penalties={"embedding_l2": 1.0, "aggregation_l2": 1.0, "dense_l2": 1.0},
        training={"beta_2": 0.999},
    ),
    # The authors' code, which differs from their equations in every line. It penalises the
    # aggregations alone, with the factor 1/2 of TensorFlow 1's regulariser. That does not reach
    # the paper's figures: the embeddings, which Equation 6 names first, are penalised as well
    # (REPRODUCTION.md, 6).
    "released": Preset(
        arguments=_RELEASED,
        penalties={"embedding_l2": 1.0, "aggregation_l2": 0.5},
        training={"beta_2": 0.98},
    ),
    # The structure of the code, with sizes searched on Frappe's validation. Table 3's experiment
    # found a setting with a little more AUC there, of linear attention without biases, which
    # spreads its weights over more fields.
    "tuned": Preset(
        arguments={
            **_RELEASED,
            "embedding_dim": 32,
            "attention_size": 32,
            "num_heads": 2,
            "order": 3,
            "embedding_l2": 5e-3,
        },
        penalties={},
        training={
            "learning_rate": 2e-3,
            "beta_2": 0.999,
            "batch_size": 1024,
            "microbatch_size": None,
        },
    ),
}
"""The named forms of InterHAt."""

_FRAPPE_SIZES = {"embedding_dim": 12, "attention_size": 16, "num_heads": 4}

DATASETS = {
    "criteo": DatasetRow(
        {"embedding_dim": 12, "attention_size": 30, "num_heads": 12}, l2=2e-4, microbatch_size=256
    ),
    "avazu": DatasetRow(
        {"embedding_dim": 8, "attention_size": 20, "num_heads": 8}, l2=2e-4, microbatch_size=256
    ),
    "frappe": DatasetRow(
        _FRAPPE_SIZES, l2=2e-3, training={"learning_rate": 3e-3, "batch_size": 1024}
    ),
    # Not in the paper's table: Frappe's sizes, without a penalty and with a tenth of Frappe's.
    "synthetic_rules": DatasetRow(
        _FRAPPE_SIZES, l2=0.0, training={"learning_rate": 2e-3, "batch_size": 512}
    ),
    "movielens_ctr": DatasetRow(
        _FRAPPE_SIZES, l2=2e-4, training={"learning_rate": 2e-3, "batch_size": 4096}
    ),
}
"""The rows of the paper's Table 2 (d, s, h and lambda), and how their data sets are trained."""

OTHER_DATASET = DatasetRow(_FRAPPE_SIZES, l2=2e-3)
"""What a data set without a row has: Frappe's sizes and penalty."""


def hyperparameters(
    dataset: str | None, preset: str, model: str = "interhat"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the model's arguments and the training settings of a preset on a data set.

    Args:
        dataset: Name of the data set, as NAME or NAME/CONFIG, or `None`. One
            that has no row in `DATASETS` takes Frappe's sizes and penalty.
        preset: `"paper"`, `"released"` or `"tuned"`.
        model: Name of the model. Defaults to `"interhat"`. Only InterHAt and
            InterHAt-S have presets; other models have their own defaults.

    Returns:
        Two dictionaries: arguments of the model, arguments of `TrainingSettings`.

    Raises:
        ValueError: If the preset is unknown.

    Example:

    >>> model, training = hyperparameters("avazu", "released")
    >>> model["embedding_dim"], training["beta_2"]
    (8, 0.98)
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}; there are: {', '.join(PRESETS)}")
    row, form = DATASETS.get((dataset or "").split("/")[0], OTHER_DATASET), PRESETS[preset]
    if model not in ("interhat", "interhat_s"):
        return {}, dict(row.training)
    penalties = {name: share * row.l2 for name, share in form.penalties.items()}
    arguments = {**row.sizes, **penalties, **form.arguments}
    training = {**row.training, "microbatch_size": row.microbatch_size, **form.training}
    return arguments, {name: value for name, value in training.items() if value is not None}
