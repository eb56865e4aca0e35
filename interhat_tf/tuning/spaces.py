"""What is tried of each model: the values that its arguments, and the training's, may take.

A value between the lowest and the highest of three or more fractions may be tried as well; of
all else, those that stand here alone. Models of other packages have a `search_space` of their
own, an attribute of the class. Table 3's rows add to these what fits the paper's data sets.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from interhat_tf.models import MODELS

Space = Mapping[str, Sequence[Any]]
"""From an argument's name to the values that it may take; one value is fixed."""

# Averaged weights lower the logloss of all models; a longer log needs a longer average. With them
# a constant learning rate is better for some models, and one that drops for others.
TRAINING: Space = {
    "ema_momentum": (0.995,),
    "learning_rate_factor": (0.1, 1.0),
    "patience": (3,),
}
# Two layers of 200 units reach on Frappe what BARS' three of 400 do, in a third of
# the time: DeepFM, validation, one seed, 0.9855 / 0.1398 against 0.9855 / 0.1389.
_MLP: Space = {
    "mlp_units": ([200, 200],),
    "batch_norm": (True,),
    "dropout": (0.0, 0.1, 0.2, 0.3),
}
# As in the public settings, with two streams or blocks beside each other.
_STREAMS: Space = {
    "mlp_units": ([400], [400, 400]),
    "batch_norm": (True,),
    "dropout": (0.1, 0.2, 0.4),
}
# FinalNet's and QNN-alpha's authors train them with the pull to the mean of two predictions.
_PULLED: Space = {"self_distillation": (1.0,)}
_ATTENTION_LAYERS: Space = {"num_layers": (2, 3), "num_heads": (2, 4), "key_dim": (16, 32)}

# As in the papers and in their authors' code.
_HISTORY: Space = {
    "mlp_units": ([200, 80],),
    "mlp_activation": ("dice", "relu"),
    "dropout": (0.0, 0.1, 0.2, 0.3),
}

OF_MODELS: dict[str, Space] = {
    "lr": {},
    "fm": {},
    "dnn": _MLP,
    "deepfm": _MLP,
    "interhat": {"dropout": (0.0, 0.1, 0.2, 0.3), "order": (1, 2)},
    "dcn_v2": {**_MLP, "num_cross_layers": (2, 3)},
    "finalnet": {**_STREAMS, **_PULLED, "second_mlp_units": ([400], [400, 400])},
    "qnn_alpha": {
        **_PULLED,
        "num_layers": (1, 2),
        "num_maps": (2, 4),
        "batch_norm": (True,),
        "dropout": (0.1, 0.2, 0.3),
    },
    "ecn": {
        "num_cross_layers": (2, 3, 4),
        "batch_norm": (False, True),
        "dropout": (0.0, 0.1, 0.2),
    },
    "finalmlp": {**_STREAMS, "second_mlp_units": ([100], [400]), "num_heads": (2, 5, 10)},
    "wide_deep": _MLP,
    "ipnn": _MLP,
    "dcn": {**_MLP, "num_cross_layers": (2, 3)},
    "ffm": {},
    "afm": {"attention_size": (8, 16, 32), "dropout": (0.0, 0.1)},
    "order_exact": {"order": (2, 3)},
    "xdeepfm": {**_MLP, "cin_units": ([32], [64])},
    "autoint": _ATTENTION_LAYERS,
    "autoint_plus": {**_MLP, **_ATTENTION_LAYERS},
    "din": {
        **_HISTORY,
        "attention_units": ([36], [80, 40]),
        "attention_activation": ("dice", "sigmoid"),
        "attention_softmax": (False, True),
    },
    "dien": {**_HISTORY, "auxiliary_weight": (0.0, 0.1, 1.0)},
}
"""What a model has of its own, the cheapest and most important models first."""

_ALIKE = {"interhat_s": "interhat", "opnn": "ipnn", "pnn": "ipnn"}
_SHALLOW = ("lr", "fm", "ffm", "afm")


def own_space(model: str) -> Space:
    """Returns what a model has of its own, in the library or as its class says.

    >>> own_space("opnn")["dropout"]
    (0.0, 0.1, 0.2, 0.3)
    """
    name = _ALIKE.get(model, model)
    return OF_MODELS[name] if name in OF_MODELS else getattr(MODELS[name], "search_space", {})


def by_depth(
    model: str, shallow_l2: Sequence[float], deep_l2: Sequence[float], deep_rates: Sequence[float]
) -> Space:
    """Returns the sizes and penalties of embeddings, and the learning rates.

    Args:
        model: Name of the model.
        shallow_l2: Penalties of models that are linear or bilinear in their embeddings.
        deep_l2: Those of all others.
        deep_rates: Learning rates of all others.
    """
    shallow = model in _SHALLOW
    return {
        "embedding_dim": (10, 16, 32),
        "embedding_l2": shallow_l2 if shallow else deep_l2,
        "learning_rate": (2e-3, 5e-3, 1e-2) if shallow else deep_rates,
    }


def taken(model: str, space: Space) -> dict[str, Sequence[Any]]:
    """Returns a space without embeddings' size and penalty, if the model does not take them."""
    arguments = inspect.signature(MODELS[model]).parameters
    return {
        name: values
        for name, values in space.items()
        if name not in ("embedding_dim", "embedding_l2") or name in arguments
    }


def search_space(
    model: str, preset: Mapping[str, Any] | None = None, ema_momentum: float = 0.995
) -> dict[str, Sequence[Any]]:
    """Returns what is tried of a model on a log of which nothing is known.

    Args:
        model: Name of the model.
        preset: The arguments and training settings that a preset has for the log's size.
            Penalties and sizes of the embeddings around its own are tried, with its patience.
            Defaults to `None`: penalties of any size, and a few sizes.
        ema_momentum: Momentum of the averaged weights; `presets.average_momentum` has that
            for the log's size. Defaults to 0.995.

    Example:

    >>> search_space("dnn")["learning_rate"]
    (0.0005, 0.001, 0.002)
    >>> space = search_space("interhat", {"embedding_l2": 0.02, "embedding_dim": 64})
    >>> space["embedding_l2"], space["embedding_dim"]
    ((0.00125, 0.005, 0.02, 0.08), (32, 64, 128))
    """
    preset, deep_l2 = preset or {}, (1e-4, 1e-3, 1e-2, 5e-2)
    if l2 := preset.get("embedding_l2"):
        deep_l2 = (l2 / 16, l2 / 4, l2, l2 * 4)
    space = {**TRAINING, "ema_momentum": (ema_momentum,)}
    space |= by_depth(model, (1e-7, 1e-6, 1e-5, 1e-4), deep_l2, (5e-4, 1e-3, 2e-3))
    if dim := preset.get("embedding_dim"):
        space["embedding_dim"] = (max(dim // 2, 1), dim, 2 * dim)
    if "patience" in preset:
        space["patience"] = (preset["patience"],)
    return taken(model, {**space, **own_space(model)})
