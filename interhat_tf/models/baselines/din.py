"""DIN."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from interhat_tf.layers import ActivationUnit
from interhat_tf.layers.sequences.dice import DICE
from interhat_tf.models.baselines.history_model import HistoryModel
from interhat_tf.models.click_model import l2
from interhat_tf.schema import Schema
from interhat_tf.utils.config import Activation


@keras.saving.register_keras_serializable("interhat_tf")
class DIN(HistoryModel):
    """Deep Interest Network: a history is what of it counts now (Zhou et al., KDD 2018).

        v(t) = sum_j a(e_j, t) e_j
        logit = w^T MLP([x_1; ...; x_n; v_1(t_1); ...; v_k(t_k)]) + b

    The activation unit a is a small network of a value's and the target's embeddings,
    `layers.ActivationUnit`. The defaults are those of the paper's Figure 2: 36 hidden units,
    weights that are not normalised, and `layers.Dice` as the activation of all layers.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        attention_units: Widths of the activation unit's hidden layers. Defaults to `(36,)`.
        attention_activation: Their activation; `"dice"` is `layers.Dice`. Defaults to
            `"dice"`.
        attention_softmax: Whether a history's weights sum to 1, as in the authors' code.
            Defaults to `False`.
        **kwargs: Arguments of `HistoryModel`.

    Raises:
        ValueError: If no sequence of the schema shares a categorical field.

    Example:

    >>> from interhat_tf import Field
    >>> movie = Field("movie", "categorical", 9)
    >>> history = Field("history", "sequence", 9, max_length=3, shares="movie")
    >>> model = DIN(Schema([movie, history]), embedding_dim=4)
    >>> seen = keras.ops.array([[7, 2, -1], [-1, -1, -1]])
    >>> model({"categorical": keras.ops.array([[4], [4]]), "multivalued": seen}).shape
    TensorShape([2, 1])
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        attention_units: Sequence[int] = (36,),
        attention_activation: Activation = DICE,
        attention_softmax: bool = False,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)

    def _make_reader(self, name: str) -> ActivationUnit:
        return ActivationUnit(
            self._arguments["attention_units"],
            activation=self._arguments["attention_activation"],
            softmax=self._arguments["attention_softmax"],
            kernel_regularizer=l2(self._arguments["dense_l2"]),
            dtype=self.dtype_policy,
            name=name,
        )
