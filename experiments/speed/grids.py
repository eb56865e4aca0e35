"""The grids whose cases `experiments.speed.grid` times: what each compares."""

import dataclasses
from typing import Any

from experiments.common.published import HISTORY_MODELS
from experiments.speed.paper_models import INTERHAT
from experiments.speed.paper_sizes import SIZES
from interhat_tf.models import MODELS


@dataclasses.dataclass
class Case:
    """What is timed, and on records of which sizes.

    Args:
        model: A model as `paper_models.build` names it.
        size: Name of the data set whose sizes the records have, of `SIZES`.
        work: `"step"`, a training step; `"prediction"`; `"explanation"`; or `"update"`, the
            optimizer alone, on the gradients of a batch.
        code: `"interhat_tf"`; `"tensorflow"`, the same without the CPU kernels; `"keras"`, the
            same model of Keras' own layers, trained by Keras; or `"pytorch"`, a model of the
            same sizes: FuxiCTR's InterHAt, or a DeepFM.
        batch: Records of a step.
        microbatch: Records whose gradient is computed at a time; `None`, the whole batch.
        optimizer: A name of `timing.OPTIMIZERS`.
        ema_momentum: Momentum of the weights' average, if steps have one.
        precision: Keras' dtype policy of the model.
        jit_compile: Whether XLA compiles it.
        features: Number of distinct features, in place of the size's.
        fields: Number of fields, all categorical, in place of the size's.
        changed: Arguments of the model in place of its own.
        axis: What the case's group changes, where that is one thing.
    """

    model: str = "interhat"
    size: str = "criteo"
    work: str = "step"
    code: str = "interhat_tf"
    batch: int = 2048
    microbatch: int | None = None
    optimizer: str = "adam"
    ema_momentum: float | None = None
    precision: str = "float32"
    jit_compile: bool = False
    features: int | None = None
    fields: int | None = None
    changed: dict[str, Any] = dataclasses.field(default_factory=dict)
    axis: str | None = None


@dataclasses.dataclass
class Grid:
    """A number of cases.

    Args:
        cases: All of them.
        group_by: Fields of a `Case`; cases with the same values of them are timed in turn.
        against: From a name to the fields that make a case the one it is compared with,
            round by round.
        limits: Whether to measure the machine's ceilings and the input pipeline as well.
    """

    cases: list[Case]
    group_by: tuple[str, ...]
    against: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    limits: bool = False


# A penalty on a whole table would give each of its rows a gradient.
UNPENALISED = {"embedding_l2": 0.0}
EXPLAINED = ("interhat", "interhat_s", "interhat_paper", "interhat_tuned")
# The paper's models and AutoInt, and InterHAt's forms, `paper` with both readings of d_K.
RIVALS = ("wide_deep", "dcn", "ipnn", "deepfm", "xdeepfm", "autoint")
PEERS = ("interhat", "deepfm")
FIGURE_2 = [*RIVALS, *EXPLAINED, "interhat_wide"]


def _models(peers=(), **how):
    """Returns the steps, predictions and explanations of all models, and the optimizers.

    Of PyTorch's models, the `peers`, the steps.
    """
    others = (name for name in MODELS if name not in (*INTERHAT, *HISTORY_MODELS))
    names = [*EXPLAINED, *others]
    return [
        case
        for size in SIZES
        for case in (
            *(
                Case(name, size, work, **how)
                for name in names
                for work in ("step", "prediction", "explanation")
                if work != "explanation" or name in EXPLAINED
            ),
            *(
                Case("interhat", size, "update", optimizer=name, changed=UNPENALISED, **how)
                for name in ("adam", "lazy_adam", "keras_adam")
            ),
            *(Case(name, size, code="pytorch", **how) for name in peers),
        )
    ]


def _microbatches():
    """Returns InterHAt's steps whole, in microbatches, without the CPU kernels, and by Keras."""
    forms = [("interhat", "criteo"), ("interhat_paper", "criteo"), ("interhat_wide", "criteo")]
    return [
        Case(model, size, **how)
        for model, size in (*forms, ("interhat", "avazu"))
        for how in (
            {},
            *({"microbatch": rows} for rows in (16, 32, 64, 256)),
            {"code": "tensorflow"},
            {"code": "keras"},
            {"code": "keras", "jit_compile": True},
        )
    ]


def _scaling():
    """Returns steps of Criteo's sizes and Table 2's arguments, with one of them changed at a time.

    Over orders InterHAt-S as well, whose steps are little but the orders.
    """
    cases = [
        Case(**{axis: value}, axis=axis)
        for axis, values in {
            "features": (60_570, 605_700, 6_057_000),
            "fields": (9, 18, 36, 72),
            "batch": (256, 512, 1024, 2048, 4096, 8192),
        }.items()
        for value in values
    ]
    heads, orders = (1, 2, 4, 8, 12, 16), (1, 2, 3, 4, 6, 8)
    cases += [Case(changed={"num_heads": n}, axis="num_heads") for n in heads]
    models = ("interhat", "interhat_s")
    return cases + [Case(m, changed={"order": k}, axis="order") for m in models for k in orders]


def _table_sizes():
    """Returns steps with tables of 0.6 to 60 million rows; the exact Adam up to 6 million.

    FM's steps are little but look-up and optimizer. The exact Adam takes along an average, too.
    """
    ways = [("adam", None, 1), ("adam", None, 10), ("adam", 0.999, 1), ("adam", 0.999, 10)]
    ways += [("lazy_adam", None, factor) for factor in (1, 10, 100)]
    return [
        Case(
            model,
            optimizer=optimizer,
            ema_momentum=momentum,
            features=605_700 * factor,
            changed=UNPENALISED,
        )
        for model in ("interhat", "fm")
        for optimizer, momentum, factor in ways
    ]


HOW = ("size", "batch", "precision", "jit_compile")
GRIDS = {
    "models": Grid(_models(PEERS), HOW, limits=True),
    "gpu": Grid(
        [
            case
            for batch in (2048, 16384)
            for precision in ("float32", "mixed_bfloat16")
            for compiled in (False, True)
            for case in _models(batch=batch, precision=precision, jit_compile=compiled)
        ],
        HOW,
        limits=True,
    ),
    "figure_2": Grid([Case(m, size) for size in ("criteo", "avazu") for m in FIGURE_2], ("size",)),
    "microbatch": Grid(
        _microbatches(),
        ("model", "size"),
        against={
            "whole": {"microbatch": None, "code": "interhat_tf", "jit_compile": False},
            "keras": {"microbatch": None, "code": "keras", "jit_compile": False},
        },
    ),
    "scaling": Grid(_scaling(), ("axis",)),
    "table_size": Grid(_table_sizes(), ("model",), against={"smallest": {"features": 605_700}}),
}
