"""The layers of InterHAt and of the models it is compared with, one per file."""

from interhat_tf.layers.attentional_aggregation import AttentionalAggregation
from interhat_tf.layers.compressed_interaction_network import CompressedInteractionNetwork
from interhat_tf.layers.cross_layer import CrossLayer
from interhat_tf.layers.cross_network import CrossNetwork
from interhat_tf.layers.elementwise_product import ElementwiseProduct
from interhat_tf.layers.factorization_machine import FactorizationMachine
from interhat_tf.layers.feed_forward import FeedForward
from interhat_tf.layers.field_aware_factorization_machine import FieldAwareFactorizationMachine
from interhat_tf.layers.field_embedding import FieldEmbedding
from interhat_tf.layers.inner_product import InnerProduct
from interhat_tf.layers.interacting_layer import InteractingLayer
from interhat_tf.layers.linear import Linear
from interhat_tf.layers.mlp import MLP
from interhat_tf.layers.multi_head_self_attention import MultiHeadSelfAttention
from interhat_tf.layers.outer_product import OuterProduct

__all__ = [
    "MLP",
    "AttentionalAggregation",
    "CompressedInteractionNetwork",
    "CrossLayer",
    "CrossNetwork",
    "ElementwiseProduct",
    "FactorizationMachine",
    "FeedForward",
    "FieldAwareFactorizationMachine",
    "FieldEmbedding",
    "InnerProduct",
    "InteractingLayer",
    "Linear",
    "MultiHeadSelfAttention",
    "OuterProduct",
]
