"""A model's logits and explanations as arrays, batch after batch."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from interhat_tf.errors import SettingError
from interhat_tf.explanation.compiled import compiled
from interhat_tf.explanation.selection import Condition, select_records
from interhat_tf.schema import Batch

ROWS = 8192
"""Records that go through a model at a time."""


def check_base(logits: np.ndarray, bias: np.ndarray) -> None:
    """Checks that contributions have a base.

    Raises:
        ValueError: If it is an average record that the model was not given.
    """
    if np.isnan(bias).any() and not np.isnan(logits).any():
        raise SettingError(
            "contributions are measured from the average training record, which this model does "
            "not have yet: call model.adapt(batches of training records) first; training.train does"
        )


def explain_batches(
    model: keras.Model,
    batches: Iterable[Any],
    condition: Condition | None = None,
    return_heads: bool = False,
) -> Iterator[tuple[Batch, dict[str, np.ndarray]]]:
    """Explains batch after batch of records.

    Args:
        model: A model with `explain` and `schema`, such as `InterHAt`.
        batches: Batches of records, as for `select_records`.
        condition: Which records are explained, as for `select_records`.
            Defaults to all.
        return_heads: Whether the heads' attention weights, (B, h, m, m), are
            among what is yielded. Defaults to `False`.

    Yields:
        Pairs of the inputs and of what `model.explain` returns for them, both
        dictionaries of NumPy arrays.

    Raises:
        ValueError: As `select_records` does.
    """
    explain = _compiled(model, "explain", **({"return_heads": True} if return_heads else {}))
    for inputs in select_records(model.schema, batches, condition):
        explanation = explain(inputs)
        yield inputs, {k: keras.ops.convert_to_numpy(v) for k, v in explanation.items()}


def explain_inputs(
    model: keras.Model, inputs: Batch, batch_size: int = ROWS, return_heads: bool = False
) -> dict[str, np.ndarray]:
    """Explains records that are in memory.

    Args:
        model: A model with `explain` and `schema`, such as `InterHAt`.
        inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N).
        batch_size: Records that are explained at a time. Defaults to 8192.
        return_heads: As for `explain_batches`.

    Returns:
        What `model.explain` returns for all of them, a dictionary of NumPy arrays.

    Raises:
        ValueError: As `select_records` does.
    """
    batches = in_batches(inputs, batch_size)
    parts = [part for _, part in explain_batches(model, batches, return_heads=return_heads)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def estimate_effects(model: keras.Model, inputs: Batch) -> dict[str, np.ndarray]:
    """Returns what `model.explain_effects` returns for records that are in memory.

    Args:
        model: A model that holds an effect head.
        inputs: As for `explain_inputs`.

    Raises:
        ValueError: As `explain_effects` does.
    """
    estimate = _compiled(model, "explain_effects")
    parts = [estimate(part) for part in in_batches(inputs, ROWS)]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def predict(model: keras.Model, inputs: Batch) -> np.ndarray:
    """Returns the logits, (B,), however many records there are.

    Args:
        model: Any model that gives logits, (B, 1).
        inputs: As for `explain_inputs`.
    """
    parts = [np.asarray(model.predict_on_batch(part))[:, 0] for part in in_batches(inputs, ROWS)]
    return np.concatenate(parts)


def in_batches(inputs: Batch, batch_size: int) -> Iterator[Batch]:
    """Yields the inputs of each `batch_size` consecutive records, and of those left over."""
    rows = len(next(iter(inputs.values())))
    for start in range(0, rows, batch_size):
        yield {kind: values[start : start + batch_size] for kind, values in inputs.items()}


def _compiled(
    model: keras.Model, method: str, **arguments: Any
) -> Callable[[Batch], Mapping[str, Any]]:
    """Returns a model's method of inputs, compiled once per model on the TensorFlow backend."""
    # A model that was given another effect head since explains otherwise.
    key = method, *arguments.items(), getattr(model, "effect_head", None)
    return compiled(model, key, lambda model, inputs: getattr(model, method)(inputs, **arguments))
