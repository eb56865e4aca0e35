"""The layers of InterHAt, one per file."""

from interhat_tf.layers.attentional_aggregation import AttentionalAggregation
from interhat_tf.layers.cross_layer import CrossLayer
from interhat_tf.layers.feed_forward import FeedForward
from interhat_tf.layers.field_embedding import FieldEmbedding
from interhat_tf.layers.multi_head_self_attention import MultiHeadSelfAttention

__all__ = [
    "AttentionalAggregation",
    "CrossLayer",
    "FeedForward",
    "FieldEmbedding",
    "MultiHeadSelfAttention",
]
