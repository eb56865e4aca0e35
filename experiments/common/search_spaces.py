"""What is tried for each row of Table 3: the declared spaces (`search.py` draws from them).

Every row gets the same number of draws. All rows of a data set share the batch size, the
embedding size is searched for all, and so are the penalty on the embeddings and the learning
rate; boosted trees have neither batches nor embeddings. A space with one setting is not
searched: the row is as printed, or as others published it.
"""

from collections.abc import Sequence
from typing import Any

from experiments.common.published import HISTORY_MODELS, PAIRS_ROW, TARGET_ROW, TITLES
from experiments.common.table_3_files import REFERENCE
from interhat_tf.models import MODELS
from interhat_tf.tuning.spaces import OF_MODELS, TRAINING, by_depth, own_space, taken

Space = dict[str, Sequence[Any]]

# Field-aware values and a head as wide as the MLPs'. Self-attention before them takes twice the
# time and gains nothing on Frappe's validation (`experiments/tuning/tuned.py`).
_INTERHAT = {
    "model": ("interhat_s",),
    "preset": ("released",),
    "aggregation_l2": (0.0,),
    "beta_2": (0.999,),
    "attention_size": (16,),
    "value_dim": (200,),
    "mlp_units": ([200],),
}
# Boosted trees read ids and numbers as they are; nothing of them is a data set's.
_TREES: dict[str, Space] = {
    "lightgbm": {
        "num_leaves": (15, 31, 63, 127),
        "learning_rate": (0.03, 0.05, 0.1),
        "min_data_in_leaf": (5, 20, 50),
        "feature_fraction": (0.6, 0.8, 1.0),
        "cat_smooth": (3.0, 10.0, 30.0, 100.0),
        "cat_l2": (3.0, 10.0, 30.0, 100.0),
        "max_cat_threshold": (8, 16, 32, 64),
    },
    "ebm": {
        # A tree over a pair reads the pair's whole table: that of Frappe's user and app takes a
        # second, and greedy rounds, the default, would go to it alone.
        "greedy_ratio": (0.0,),
        "smoothing_rounds": (0,),
        "max_epochs": (300,),
        "patience": (20,),
        "interactions": (5, 10, 20),
        "learning_rate": (0.05, 0.1, 0.2, 0.4),
        "min_samples_leaf": (1, 2, 4, 10),
        "min_cat_samples": (1, 3, 10),
        "cat_smooth": (1.0, 3.0, 10.0, 30.0),
    },
}
# InterHAt's presets as they come, and forms with Table 2's attention and what all rows search.
_FORMS: dict[str, Space] = {
    "tuned": {"model": ("interhat",), "preset": ("tuned",)},
    "released": {"model": ("interhat",), "preset": ("released",)},
    "paper": {"model": ("interhat",), "preset": ("paper",)},
    "released_searched": {"model": ("interhat",), "preset": ("released",)},
    "interhat_s": {"preset": ("released",)},
    "paper_searched": {
        "model": ("interhat",),
        "preset": ("paper",),
        "dense_l2": (0.0, 1e-6, 1e-5, 1e-4),
    },
}
_AS_THEY_COME = ("tuned", "released", "paper")
# InterHAt's rows that differ from its own in one thing: the second order has values of pairs,
# or a history is pooled by what it is held against, as DIN does.
_VARIANTS: dict[str, Space] = {
    PAIRS_ROW: {"pair_values": (True,), "order": (2,)},
    TARGET_ROW: {"pooling": ("history=target",)},
}
# On Frappe InterHAt-S chooses a penalty of 5e-4, `released` one of 0.025.
_SEARCHED_FORM = {
    "embedding_l2": (5e-4, 2e-3, 1e-2, 5e-2),
    "aggregation_l2": (0.0, 1e-4, 1e-3, 1e-2),
    "learning_rate": (1e-3, 2e-3, 4e-3),
}
# The public benchmark's best setting of a model whose space here is smaller, for the time it takes.
# github.com/reczoo/BARS, AutoInt_frappe_x1: 6 layers, 4 heads, 128 units together, lambda 0.05,
# which FuxiCTR halves.
_PUBLISHED: dict[str, dict[str, Space]] = {
    "frappe": {
        "autoint_bars": {
            "ema_momentum": (0.995,),
            "model": ("autoint",),
            "batch_size": (1024,),
            "num_layers": (6,),
            "num_heads": (4,),
            "key_dim": (32,),
            "embedding_dim": (10,),
            "embedding_l2": (2.5e-2,),
            "learning_rate": (1e-3,),
        }
    }
}


def contenders(dataset: str, histories: bool = False) -> list[str]:
    """Returns the names of the rows that have a space on a data set, in the order of the study.

    Models of other packages are the last; their class may have a `search_space`.

    Args:
        dataset: Name of the data set, without a config.
        histories: Whether its records have histories, which some models need. Defaults to
            `False`: of the paper's data sets none has.
    """
    slowest = ("xdeepfm", "autoint", "autoint_plus")
    first = [name for name in OF_MODELS if name not in (*slowest, *HISTORY_MODELS)]
    here = [*first, PAIRS_ROW, *_TREES, *_FORMS, *slowest, *_PUBLISHED.get(dataset, {})]
    if histories:
        here += [*HISTORY_MODELS, TARGET_ROW]
    added = [name for name in MODELS.load() if name not in here and name not in TITLES]
    return [*here, *added]


def search_space(dataset: str, name: str) -> Space:
    """Returns the space of a row on a data set.

    Args:
        dataset: Name of the data set, without a config.
        name: Name of the row. It is the model's unless the space has a `model`.

    Raises:
        ValueError: If nothing is declared for the data set or the row.
    """
    if name not in contenders(dataset, histories=True):
        raise ValueError(f"no search space is declared for {name} on {dataset}")
    if name in _VARIANTS:
        return {**search_space(dataset, REFERENCE), **_VARIANTS[name]}
    if name in _TREES:
        return {**_auc_by(dataset), **_TREES[name]}
    if name in _AS_THEY_COME:
        return {**_auc_by(dataset), **_FORMS[name]}
    if name in _PUBLISHED.get(dataset, {}):
        return _PUBLISHED[dataset][name]
    if name in _FORMS:
        own = {**_SEARCHED_FORM, **_FORMS[name]}
    else:
        own = {**(_INTERHAT if name == "interhat" else {}), **own_space(name)}
    shared = {**TRAINING, **_auc_by(dataset), **_DATASETS.get(dataset, _other)(name)}
    return taken(own.get("model", (name,))[0], {**shared, **own})


def _auc_by(dataset):
    """Returns the field within whose values AUC is given too, where records are a user's."""
    return {"auc_by": ("user",)} if dataset == "movielens_ctr" else {}


def _frappe(name):
    """Few records of many values: without strong penalties the embeddings overfit.

    FM remembers pairs of a user and an app, and the more of them the wider its vectors are.
    """
    space = by_depth(
        name,
        shallow_l2=(0.0, 1e-6, 3e-6, 1e-5),
        deep_l2=(1e-2, 2.5e-2, 5e-2, 1e-1),
        deep_rates=(5e-4, 1e-3, 2e-3),
    )
    wide = {"embedding_dim": (64, 256, 1024)} if name == "fm" else {}
    # The public benchmark's gates of FinalMLP.
    gates = {"first_gate_field": ("user",), "second_gate_field": ("item",)}
    return {**(gates if name == "finalmlp" else {}), "batch_size": (1024,), **space, **wide}


def _movielens(name):
    """Seven times Frappe's records and twice its values."""
    space = by_depth(
        name,
        shallow_l2=(0.0, 1e-6, 1e-5, 1e-4),
        deep_l2=(1e-3, 2e-3, 5e-3, 1e-2),
        deep_rates=(1e-3, 2e-3, 4e-3),
    )
    return {"batch_size": (4096,), **space}


def _large_log(name):
    """Many values, most of them rare; a log of some million records has less to say of each."""
    return {
        "batch_size": (2048,),
        "embedding_dim": (8, 12, 16),
        "embedding_l2": (1e-5, 1e-4, 1e-3, 1e-2),
        "learning_rate": (5e-4, 1e-3, 2e-3),
    }


def _other(name):
    """A log of one's own, of which nothing is known: penalties of any size."""
    space = by_depth(
        name,
        shallow_l2=(0.0, 1e-6, 1e-5, 1e-4),
        deep_l2=(1e-4, 1e-3, 1e-2, 5e-2),
        deep_rates=(5e-4, 1e-3, 2e-3),
    )
    return {"batch_size": (1024,), **space}


_DATASETS = {
    "frappe": _frappe,
    "movielens_ctr": _movielens,
    "criteo": _large_log,
    "avazu": _large_log,
}
