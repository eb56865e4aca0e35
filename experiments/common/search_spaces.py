"""What is tried for each model in Table 3's experiment: the declared spaces, and the draws.

A space is a dictionary from a flag of `experiments.train` to the values that it
may take; a flag with one value is fixed. Every model gets the same number of
draws. All models of a data set share the batch size, and all but InterHAt the
embedding size: the public benchmark BARS' 10 on Frappe, Table 2's on Criteo and
Avazu. InterHAt has no MLP over all fields; its capacity is in a wider d
instead, which is searched. Parameters stand in the table beside the figures.
"""

import math
import random
from collections.abc import Sequence
from typing import Any

Space = dict[str, Sequence[Any]]

# Two layers of 200 units reach on Frappe what BARS' three of 400 do, in a third of
# the time: DeepFM, validation, one seed, 0.9855 / 0.1398 against 0.9855 / 0.1389.
_MLP = {"mlp_units": ([200, 200],), "batch_norm": (True,), "dropout": (0.0, 0.1, 0.2)}
# As in the public settings, with two streams or blocks beside each other.
_STREAMS = {
    "mlp_units": ([400], [400, 400]),
    "batch_norm": (True,),
    "dropout": (0.1, 0.2, 0.4),
}
_ATTENTION = {
    "preset": ("released",),
    "aggregation_l2": (0.0,),
    "beta_2": (0.999,),
    "embedding_dim": (32, 48),
    "attention_size": (32,),
    "order": (2, 3),
    # Small, strongly penalised embeddings would drown in the biases of the attention layer.
    "attention_bias": (False,),
    "attention_activation": ("linear",),
}
# What a model has in addition to the flags of its data set.
_OWN = {
    "lr": {},
    "fm": {},
    "ffm": {},
    "afm": {"attention_size": (8, 16), "dropout": (0.0, 0.1)},
    "dnn": _MLP,
    "wide_deep": _MLP,
    "dcn": {**_MLP, "num_cross_layers": (2, 3)},
    "dcn_v2": {**_MLP, "num_cross_layers": (2, 3)},
    "ipnn": _MLP,
    "deepfm": _MLP,
    "xdeepfm": {**_MLP, "cin_units": ([32], [64])},
    "autoint": {"num_layers": (2, 3), "num_heads": (2,), "key_dim": (16, 24)},
    "autoint_plus": {**_MLP, "num_layers": (2, 3), "num_heads": (2,), "key_dim": (16, 24)},
    "finalmlp": {**_STREAMS, "second_mlp_units": ([100], [400]), "num_heads": (2, 5, 10)},
    "finalnet": {**_STREAMS, "second_mlp_units": ([400], [400, 400])},
    "ecn": {
        "num_cross_layers": (2, 3, 4),
        "batch_norm": (False, True),
        "dropout": (0.0, 0.1, 0.2),
    },
    "qnn_alpha": {
        "num_layers": (1, 2),
        "num_maps": (4, 8),
        "batch_norm": (True,),
        "dropout": (0.1, 0.2),
    },
    "interhat": {**_ATTENTION, "num_heads": (1, 2)},
    "interhat_s": _ATTENTION,
}
_SHALLOW = ("lr", "fm", "ffm", "afm")


def search_space(dataset: str, model: str) -> Space:
    """Returns the space of a model on a data set.

    Raises:
        ValueError: If nothing is declared for the data set or the model.
    """
    if dataset not in _DATASETS or model not in _OWN:
        raise ValueError(f"no search space is declared for {model} on {dataset}")
    space = {**_DATASETS[dataset](model), **_OWN[model]}
    if model == "lr":
        del space["embedding_dim"]
    return space


def _frappe(model):
    """Few records of many values: without strong penalties the embeddings overfit."""
    shallow = model in _SHALLOW
    return {
        "batch_size": (1024,),
        "embedding_dim": (10,),
        "embedding_l2": (0.0, 3e-6, 1e-5, 3e-5) if shallow else (3e-3, 1e-2, 2.5e-2),
        "learning_rate": (2e-3, 5e-3, 1e-2) if shallow else (1e-3, 2e-3),
    }


def _large_log(embedding_dim):
    """An epoch or two is all that a large log needs; weak penalties."""
    return lambda model: {
        "batch_size": (2048,),
        "embedding_dim": (embedding_dim,),
        "embedding_l2": (0.0, 1e-7, 1e-6, 1e-5),
        "learning_rate": (5e-4, 1e-3, 2e-3),
    }


_DATASETS = {"frappe": _frappe, "criteo": _large_log(12), "avazu": _large_log(8)}


def draw(space: Space, trials: int, seed: int | str) -> list[dict[str, Any]]:
    """Returns `trials` different settings, in which no value of a flag is much rarer than others.

    The values of each flag are distributed in turn and then shuffled, flag by
    flag: so eight settings cover a space more evenly than independent draws do.

    Args:
        space: Dictionary from a name to its possible values.
        trials: Number of settings.
        seed: Seed of the shuffling, a number or a name.

    Raises:
        ValueError: If the space has fewer settings.

    Example:

    >>> [setting["x"] for setting in draw({"x": (1, 2), "y": "abc"}, 4, seed=0)].count(1)
    2
    """
    if trials > math.prod(map(len, space.values())):
        raise ValueError(f"the space has fewer than {trials} settings: {space}")
    rng = random.Random(seed)
    while True:
        columns = {}
        for name, values in space.items():
            columns[name] = [values[i % len(values)] for i in range(trials)]
            rng.shuffle(columns[name])
        settings = [{name: column[i] for name, column in columns.items()} for i in range(trials)]
        if all(setting not in settings[:i] for i, setting in enumerate(settings)):
            return settings
