"""What the baselines with a multi-layer perceptron have in common."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from interhat_tf.layers import MLP
from interhat_tf.models.baselines.embedding_model import EmbeddingModel
from interhat_tf.models.click_model import l2
from interhat_tf.schema import Schema


class DeepModel(EmbeddingModel):
    """An `EmbeddingModel` with an MLP, `self.mlp`, and the logit of what is on top, `self.logit`.

    A subclass makes its own layers, with `self.penalty`, between
    `super().__init__` and `self._finish()`.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        mlp_units: Widths of the MLP's hidden layers. Defaults to
            `(400, 400, 400)`, DeepFM's and BARS'.
        dropout: Rate at which the MLP's hidden units are dropped in training.
            Defaults to 0.
        batch_norm: Whether the MLP's layers have batch normalisation, as most
            models of BARS have on Frappe. Defaults to `False`.
        dense_l2: L2 penalty of all weights but the embeddings and the
            first-order weights. Defaults to 0.
        **kwargs: Arguments of `EmbeddingModel`.
    """

    first_order_bias: ClassVar[bool] = False

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        mlp_units: Sequence[int] = (400, 400, 400),
        dropout: float = 0.0,
        batch_norm: bool = False,
        dense_l2: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(schema, **kwargs)
        self.dense_l2, self.penalty = dense_l2, l2(dense_l2)
        self._mlp_units, self._dropout, self._batch_norm = mlp_units, dropout, batch_norm

    def _make_own_mlp(self, units: Sequence[int], **options: Any) -> MLP:
        """Returns an MLP with the model's dropout, batch normalisation and penalty."""
        return self._make_mlp(units, self._dropout, self._batch_norm, self.dense_l2, **options)

    def _finish(self) -> None:
        """Makes the MLP and the logit, which come last, and all weights."""
        self.mlp = self._make_own_mlp(self._mlp_units)
        self.logit = self._make_logit(self.dense_l2)
        self.build()
