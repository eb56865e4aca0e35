"""The layers of InterHAt and of the models it is compared with, one per file."""

from interhat_tf.layers.attentional_aggregation import AttentionalAggregation
from interhat_tf.layers.baselines.bilinear_fusion import BilinearFusion
from interhat_tf.layers.baselines.centering import Centering
from interhat_tf.layers.baselines.compressed_interaction_network import CompressedInteractionNetwork
from interhat_tf.layers.baselines.cross_network import CrossNetwork
from interhat_tf.layers.baselines.elementwise_product import ElementwiseProduct
from interhat_tf.layers.baselines.exponential_cross_network import ExponentialCrossNetwork
from interhat_tf.layers.baselines.factorization_machine import FactorizationMachine
from interhat_tf.layers.baselines.factorized_interaction_block import FactorizedInteractionBlock
from interhat_tf.layers.baselines.feature_gate import FeatureGate
from interhat_tf.layers.baselines.field_aware_factorization_machine import (
    FieldAwareFactorizationMachine,
)
from interhat_tf.layers.baselines.field_gate import FieldGate
from interhat_tf.layers.baselines.inner_product import InnerProduct
from interhat_tf.layers.baselines.interacting_layer import InteractingLayer
from interhat_tf.layers.baselines.linear import Linear
from interhat_tf.layers.baselines.mlp import MLP
from interhat_tf.layers.baselines.outer_product import OuterProduct
from interhat_tf.layers.baselines.quadratic_layer import QuadraticLayer
from interhat_tf.layers.baselines.symmetric_polynomial import SymmetricPolynomial
from interhat_tf.layers.cross_layer import CrossLayer
from interhat_tf.layers.crossed_fields import CrossedFields
from interhat_tf.layers.effect_head import EffectHead
from interhat_tf.layers.feed_forward import FeedForward
from interhat_tf.layers.field_aware_values import FieldAwareValues
from interhat_tf.layers.field_embedding import FieldEmbedding
from interhat_tf.layers.frozen_vectors import FrozenVectors
from interhat_tf.layers.multi_head_self_attention import MultiHeadSelfAttention
from interhat_tf.layers.numerical import NUMBER_EMBEDDINGS, PRODUCT
from interhat_tf.layers.numerical.autodis import AutoDis
from interhat_tf.layers.numerical.bucket_embedding import BucketEmbedding
from interhat_tf.layers.numerical.number_embedding import BinnedEmbedding, NumberEmbedding
from interhat_tf.layers.numerical.periodic_embedding import PeriodicEmbedding
from interhat_tf.layers.numerical.piecewise_linear_embedding import PiecewiseLinearEmbedding
from interhat_tf.layers.pair_values import PairValues
from interhat_tf.layers.sequences.activation_unit import ActivationUnit
from interhat_tf.layers.sequences.augru import AUGRU
from interhat_tf.layers.sequences.auxiliary_loss import AuxiliaryLoss
from interhat_tf.layers.sequences.dice import Dice
from interhat_tf.layers.sequences.interest_evolution import InterestEvolution
from interhat_tf.layers.value_pooling import ValuePooling

__all__ = [
    "AUGRU",
    "MLP",
    "NUMBER_EMBEDDINGS",
    "PRODUCT",
    "ActivationUnit",
    "AttentionalAggregation",
    "AutoDis",
    "AuxiliaryLoss",
    "BilinearFusion",
    "BinnedEmbedding",
    "BucketEmbedding",
    "Centering",
    "CompressedInteractionNetwork",
    "CrossLayer",
    "CrossNetwork",
    "CrossedFields",
    "Dice",
    "EffectHead",
    "ElementwiseProduct",
    "ExponentialCrossNetwork",
    "FactorizationMachine",
    "FactorizedInteractionBlock",
    "FeatureGate",
    "FeedForward",
    "FieldAwareFactorizationMachine",
    "FieldAwareValues",
    "FieldEmbedding",
    "FieldGate",
    "FrozenVectors",
    "InnerProduct",
    "InteractingLayer",
    "InterestEvolution",
    "Linear",
    "MultiHeadSelfAttention",
    "NumberEmbedding",
    "OuterProduct",
    "PairValues",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "QuadraticLayer",
    "SymmetricPolynomial",
    "ValuePooling",
]
