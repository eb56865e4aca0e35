"""What DIN and DIEN have in common."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from interhat_tf.errors import SettingError
from interhat_tf.layers.sequences.dice import DICE
from interhat_tf.layers.value_pooling import TARGET
from interhat_tf.models.baselines.deep_model import DeepModel
from interhat_tf.models.poolings import targets_of
from interhat_tf.ops import Tensor
from interhat_tf.schema import Batch, Schema
from interhat_tf.utils.config import Activation


class HistoryModel(DeepModel):
    """A `DNN` that reads a history by the record's candidate.

        logit = w^T MLP([x_1; ...; x_n; v_1(t_1); ...; v_k(t_k)]) + b

    A history is a sequence that shares the vocabulary of a categorical field, its target, as
    the movies that a user has seen do with the movie at hand. Its vector v(t) is what the
    subclass's layer makes of its values and of the target's embedding t. All other fields
    x are embedded and pooled as in other models. REPRODUCTION.md has what differs from the
    papers.

    Args:
        schema: The record's `Schema`, or what its `to_dict` returned.
        mlp_units: Widths of the MLP's hidden layers. Defaults to `(200, 80)`, the papers'.
        mlp_activation: Activation of the MLP; `"dice"` is `layers.Dice`. Defaults to `"dice"`.
        **kwargs: Arguments of `DeepModel`. Its `pooling` is of the other fields.

    Raises:
        ValueError: If there is no history, or `pooling` names one.
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any],
        *,
        mlp_units: Sequence[int] = (200, 80),
        mlp_activation: Activation = DICE,
        **kwargs: Any,
    ):
        super().__init__(schema, mlp_units=mlp_units, **kwargs)
        self.mlp = self._make_own_mlp(self._mlp_units, activation=mlp_activation)
        self.logit = self._make_logit(self.dense_l2)
        self.build()

    @abstractmethod
    def _make_reader(self, name: str) -> keras.layers.Layer:
        """Returns what reads a history, called as `ActivationUnit`.

        It is asked for before the model has attributes: `_arguments` holds what it needs.
        """

    def forward(self, fields: Tensor, inputs: Batch, training: bool = False) -> Tensor:
        """Returns logits, (B, 1), of embedded fields, (B, m, d)."""
        return self.logit(self.mlp(self._flatten(fields), training=training))  # (B, 1)

    @property
    def histories(self) -> list[str]:
        """Names of the sequences that have a target."""
        targets = targets_of(self.schema)
        return [field.name for field in self.schema.sequences if field.name in targets]

    def _choose_poolings(self, chosen: str | Mapping[str, str] | None) -> list[str]:
        names, model = self.histories, type(self).__name__
        if not names:
            raise SettingError(
                f"{model} compares a history with its candidate, and the schema has no sequence "
                f"that shares a categorical field: add one, such as Field('history', 'sequence', "
                f"size, max_length=50, shares='movie'), or choose another model, such as dnn"
            )
        given = chosen if isinstance(chosen, Mapping) else {}
        for name in names:
            if given.get(name, TARGET) != TARGET:
                raise SettingError(
                    f"pooling names {name!r}, which {model} reads in its own way; leave it out"
                )
        found = super()._choose_poolings(chosen)
        fields = zip(self.schema.multivalued, found, strict=True)
        return [TARGET if field.name in names else pooling for field, pooling in fields]

    def _multivalued(self, poolings: Sequence[str]) -> list[tuple[int, Any]]:
        names, fields = self.histories, enumerate(self.schema.multivalued)
        readers = {i: self._make_reader(f"pooling_{i}") for i, f in fields if f.name in names}
        pairs = enumerate(super()._multivalued(poolings))
        return [(length, readers.get(i, pooling)) for i, (length, pooling) in pairs]
