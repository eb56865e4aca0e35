"""CPU kernels in C++: attention, orders, sums, pairs, recurrences, normalisation, Adam.

    python -m interhat_tf.kernels

builds them for the TensorFlow that is installed. It needs a C++ compiler (`$CXX` or
`c++`), and takes up to a minute. Training, prediction, explanation and eager calls use them
from then on, and no exported model needs them; without them, or with `INTERHAT_KERNELS=0` in
the environment, TensorFlow's own operations compute the same.
"""

from interhat_tf.kernels.library import LIBRARY, SWITCH, are_usable, build
from interhat_tf.kernels.operations import (
    attention,
    augru,
    batch_norm,
    dice,
    dropout,
    hierarchy,
    inner_products,
    normalized_hierarchy,
    self_attention,
    table_adam,
    weighted_sum,
)

__all__ = [
    "LIBRARY",
    "SWITCH",
    "are_usable",
    "attention",
    "augru",
    "batch_norm",
    "build",
    "dice",
    "dropout",
    "hierarchy",
    "inner_products",
    "normalized_hierarchy",
    "self_attention",
    "table_adam",
    "weighted_sum",
]
