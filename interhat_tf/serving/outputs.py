"""What an exported model returns, and what it says of itself."""

import json
from typing import Any

import tensorflow as tf

from interhat_tf.input_pipeline.prepared_records import PreparedRecords
from interhat_tf.schema import (
    CATEGORICAL,
    MULTIVALUED,
    OUT_OF_VOCABULARY,
    PADDING,
    Batch,
    Schema,
)
from interhat_tf.serving.encoded_inputs import EncodedInputs
from interhat_tf.serving.raw_inputs import RawInputs
from interhat_tf.utils.formats import EXPORT_FORMAT

REASONS = ("order_weights", "field_weights", "value_weights", "effects", "pair_effects")
"""(B, k), (B, k, m), (B, L) of multivalued fields; (B, m) and (B, pairs) of a model's effects."""

PROBABILITY, UNKNOWN = "probability", "unknown_share"
"""(B,), and (B,): the share of a record's values with ids that are out of vocabulary."""

Inputs = RawInputs | EncodedInputs
"""What an exported model takes."""


def explained(model: Any, inputs: Batch) -> dict[str, tf.Tensor]:
    """Returns the probability, calibrated if the model is, the `REASONS` for it and `UNKNOWN`.

    Args:
        model: A model with `explain`, or one with `explain_effects`.
        inputs: Tensors of `categorical`, (B, C), `numerical`, (B, N), and `multivalued`,
            (B, L).
    """
    explain = model.explain if hasattr(model, "explain") else model.explain_effects
    explanation = explain(inputs)
    outputs = {PROBABILITY: _probability(model, explanation["logits"])}
    outputs |= {name: explanation[name] for name in REASONS if name in explanation}
    unknown = _unknown_parts(model.schema, inputs)  # each (B, fields)
    if unknown:
        outputs[UNKNOWN] = tf.reduce_mean(tf.concat(unknown, axis=1), axis=1)
    return outputs


def predicted(model: Any, inputs: Batch) -> dict[str, tf.Tensor]:
    """Returns the probability, (B,), calibrated if the model is, at a lower cost.

    Args:
        model: Any model that returns logits, (B, 1).
        inputs: As for `explained`.
    """
    return {PROBABILITY: _probability(model, model(inputs)[:, 0])}


def calibration_of(model: Any) -> str:
    """Returns what an exported file says of its probabilities.

    Args:
        model: Any model.
    """
    return str(getattr(model, "calibration", None) or "not calibrated")


def inputs_of(model: Any, data: PreparedRecords | None) -> Inputs:
    """Returns what an exported model takes: a set's raw values, or ids and scaled numbers.

    Args:
        model: The model.
        data: The prepared set that it was trained on, or `None`.

    Raises:
        ValueError: If the model was trained on another set.
        TypeError: If `data` is none.
    """
    if data is None:
        return EncodedInputs(model.schema)
    if not isinstance(data, PreparedRecords):
        raise TypeError(
            f"data is the prepared set that the model was trained on, as prepare_click_log and "
            f"prepared_dataset return it, not of type {type(data).__name__}"
        )
    data.check_model(model)
    return RawInputs(data)


def description(model: Any, inputs: Inputs) -> dict[str, str]:
    """Returns what an exported file tells those who use it, as texts by their names.

    Args:
        model: The model.
        inputs: What the file takes.
    """
    columns = model.schema.columns.get(MULTIVALUED, ())
    of_values = [model.schema.record_fields[place].name for place in columns]
    return {
        **({"value_fields": json.dumps(of_values, ensure_ascii=False)} if of_values else {}),
        "format": str(EXPORT_FORMAT),
        "calibration": calibration_of(model),
        "inputs": json.dumps(inputs.kinds, ensure_ascii=False),
        "fields": json.dumps(model.schema.field_names, ensure_ascii=False),
    }


def _unknown_parts(schema: Schema, inputs: Batch) -> list[tf.Tensor]:
    """Returns how much of each field with ids is out of vocabulary, as `raw_values` has it."""
    parts = []
    if schema.categorical:
        parts.append(tf.cast(inputs[CATEGORICAL] == OUT_OF_VOCABULARY, tf.float32))
    lengths = [field.max_length for field in schema.multivalued]
    for ids in tf.split(inputs[MULTIVALUED], lengths, axis=1) if lengths else ():
        numbers = [
            tf.reduce_sum(tf.cast(of_ids, tf.float32), axis=1, keepdims=True)  # (B, 1)
            for of_ids in (ids == OUT_OF_VOCABULARY, ids != PADDING)
        ]
        parts.append(numbers[0] / tf.maximum(numbers[1], 1.0))
    return parts


def _probability(model, logits):
    calibration = getattr(model, "calibration", None)
    return calibration.probability_tensor(logits) if calibration else tf.sigmoid(logits)
