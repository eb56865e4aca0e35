"""Embeddings of numerical fields, one per file."""

from interhat_tf.layers.numerical.autodis import AutoDis
from interhat_tf.layers.numerical.bucket_embedding import BucketEmbedding
from interhat_tf.layers.numerical.number_embedding import NumberEmbedding
from interhat_tf.layers.numerical.periodic_embedding import PeriodicEmbedding
from interhat_tf.layers.numerical.piecewise_linear_embedding import PiecewiseLinearEmbedding

PRODUCT = "product"
"""Name of the paper's own embedding, `v * x`, which `FieldEmbedding` makes itself."""

NUMBER_EMBEDDINGS: dict[str, type[NumberEmbedding]] = {
    "buckets": BucketEmbedding,
    "piecewise": PiecewiseLinearEmbedding,
    "periodic": PeriodicEmbedding,
    "autodis": AutoDis,
}
"""The other embeddings of numerical fields, by name."""
