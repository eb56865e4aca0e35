"""The operations that layers need beside `keras.ops`. Each decides what computes it.

On a CPU that is a kernel of `interhat_tf.kernels`, if they are built for TensorFlow. Whoever
loads an exported graph does not have them. So they serve in training, in eager calls and in
graphs traced under `cpu_kernels`; any other graph may be exported, and gets plain operations.
"""

from interhat_tf.ops.attention import multi_head_attention, multi_head_self_attention
from interhat_tf.ops.batch_norm import batch_norm
from interhat_tf.ops.dice import dice
from interhat_tf.ops.dispatch import Shape, Tensor, cpu_kernels, kernel_serves
from interhat_tf.ops.dropout import dropout
from interhat_tf.ops.hierarchy import hierarchy, normalized_hierarchy
from interhat_tf.ops.inner_products import inner_products, of_pairs, pair_columns
from interhat_tf.ops.moments import moments_of_present
from interhat_tf.ops.recurrence import augru
from interhat_tf.ops.rows import take_rows
from interhat_tf.ops.weighted_sum import weighted_sum

__all__ = [
    "Shape",
    "Tensor",
    "augru",
    "batch_norm",
    "cpu_kernels",
    "dice",
    "dropout",
    "hierarchy",
    "inner_products",
    "kernel_serves",
    "moments_of_present",
    "multi_head_attention",
    "multi_head_self_attention",
    "normalized_hierarchy",
    "of_pairs",
    "pair_columns",
    "take_rows",
    "weighted_sum",
]
