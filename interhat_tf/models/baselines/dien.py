"""DIEN."""

from collections.abc import Mapping
from typing import Any

import keras

from interhat_tf.layers import InterestEvolution
from interhat_tf.models.baselines.history_model import HistoryModel
from interhat_tf.models.click_model import l2
from interhat_tf.schema import Schema


@keras.saving.register_keras_serializable("interhat_tf")
class DIEN(HistoryModel):
    """Deep Interest Evolution Network: a history in time, by candidate (Zhou et al., AAAI 2019).

        h_t = GRU(e_1, ..., e_t),  a_t = softmax_t(h_t W t)
        v(t) = the last of h'_t = AUGRU(h_1, ..., h_t; a_1, ..., a_t)
        logit = w^T MLP([x_1; ...; x_n; v_1(t_1); ...; v_k(t_k)]) + b
        loss = logloss + alpha sum_i L_aux,i

    A history is read by `layers.InterestEvolution`, whose auxiliary loss tells the next value
    of a history from another record's. It is added in training alone; negatives are drawn
    among the batch, so that a batch is not cut into microbatches.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        auxiliary_weight: Factor alpha of the auxiliary loss, 0 for none. Defaults to 1, that of
            the authors' code.
        **kwargs: Arguments of `HistoryModel`.

    Raises:
        ValueError: If no sequence of the schema shares a categorical field.

    Example:

    >>> from interhat_tf import Field
    >>> movie = Field("movie", "categorical", 9)
    >>> history = Field("history", "sequence", 9, max_length=3, shares="movie")
    >>> model = DIEN(Schema([movie, history]), embedding_dim=4)
    >>> seen = keras.ops.array([[7, 2, -1], [-1, -1, -1]])
    >>> model({"categorical": keras.ops.array([[4], [4]]), "multivalued": seen}).shape
    TensorShape([2, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        auxiliary_weight: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)

    def _make_reader(self, name: str) -> InterestEvolution:
        return InterestEvolution(
            auxiliary_weight=self._arguments["auxiliary_weight"],
            kernel_regularizer=l2(self._arguments["dense_l2"]),
            dtype=self.dtype_policy,
            name=name,
        )
