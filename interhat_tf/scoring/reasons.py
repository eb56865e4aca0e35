"""The fields that move each row's logit most, in words, and by how much."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from interhat_tf.crosses import name_of
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.batches import ROWS, estimate_effects, predict
from interhat_tf.explanation.sentences import effects_note, label
from interhat_tf.layers import CrossedFields
from interhat_tf.schema import CATEGORICAL, MISSING, NOTHING, OTHER, Batch, Schema
from interhat_tf.utils.value_texts import ValueTexts

if TYPE_CHECKING:
    from interhat_tf.models import ClickModel


class Reasons:
    """Predicts rows and names the fields with the largest effects.

    Args:
        model: The model.
        number: Number of fields of each row.
        background: Training records that exact effects are against; `None` for the
            effects that the model estimates.
    """

    def __init__(self, model: "ClickModel", number: int, background: Batch | None):
        self.model, self.background = model, background
        self.number = min(number, len(model.schema.fields))

    @property
    def columns(self) -> list[str]:
        """The names of the columns that `of` returns."""
        numbers = range(1, self.number + 1)
        return [name for i in numbers for name in (f"reason_{i}", f"effect_{i}")]

    @property
    def batch_size(self) -> int:
        """Number of rows that `of` takes at a time. Exact effects of `ROWS` may take minutes."""
        return ROWS if self.background is None else ROWS // 8

    @property
    def about(self) -> str:
        """Which effects these are, in words."""
        if self.background is None:
            return effects_note(self.model.diagnosis.get("effects"))
        rows = len(next(iter(self.background.values())))
        return f"Effects are exact, against {rows} training records."

    def of(self, inputs: Batch, values: pa.Table) -> tuple[np.ndarray, dict[str, pa.Array]]:
        """Returns the logits of rows, (B,), and the columns of reasons and effects.

        Args:
            inputs: The rows as the model takes them.
            values: The rows' values by field, as `read_fields` returns them.
        """
        if self.background is None:
            found = estimate_effects(self.model, inputs)
            logits, effects = found["logits"], found["effects"]
        else:
            logits = predict(self.model, inputs)
            effects = occlusion(self.model, inputs, self.background)
        order = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, : self.number]  # (B, n)
        texts = value_labels(self.model.schema, inputs, values, order)
        sizes = np.take_along_axis(effects, order, axis=1).astype("float32")
        columns: dict[str, pa.Array] = {}
        for i in range(self.number):
            columns[f"reason_{i + 1}"] = pa.array(texts[:, i], pa.string())
            columns[f"effect_{i + 1}"] = pa.array(sizes[:, i])
        return logits, columns


def value_labels(schema: Schema, inputs: Batch, values: pa.Table, fields: np.ndarray) -> np.ndarray:
    """Returns chosen fields of rows with their values, `app = maps`, (B, n).

    Args:
        schema: The rows' `Schema`.
        inputs: The rows as a model takes them.
        values: The rows' values by field.
        fields: Positions in `schema.field_names`, (B, n).
    """
    texts = np.empty(fields.shape, object)
    if schema.crosses:
        every_id = np.asarray(CrossedFields(schema)(inputs[CATEGORICAL]))  # crosses at the end
        crossed = every_id[:, len(schema.categorical) :]
    places = {field.name: place for place, field in enumerate(schema.categorical)}
    crosses = {cross.name: place for place, cross in enumerate(schema.crosses)}
    for position, name in enumerate(schema.field_names):
        rows, slots = np.nonzero(fields == position)
        if not len(rows):
            continue
        if name in crosses:
            place = crosses[name]
            known = crossed[rows, place] > 0
            parts = [values[part].take(rows).to_pylist() for part in schema.crosses[place].fields]
            words = [name_of(list(map(_text, of_row))) for of_row in zip(*parts, strict=True)]
        else:
            known = np.ones(len(rows), bool)
            if name in places:
                known = np.asarray(inputs[CATEGORICAL])[rows, places[name]] > 0
            words = [_text(value) for value in values[name].take(rows).to_pylist()]
        texts[rows, slots] = [
            label(name, word if is_known else OTHER)
            for word, is_known in zip(words, known.tolist(), strict=True)
        ]
    return texts


def _text(value: Any) -> str:
    if value is None or value == "":
        return MISSING
    if isinstance(value, list):
        return ValueTexts(list(map(_text, value))) if value else NOTHING
    return f"{value:.6g}" if isinstance(value, float) else str(value)
