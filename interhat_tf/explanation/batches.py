"""A model's explanations, batch after batch, of the records that satisfy a condition."""

import weakref

import keras
import numpy as np

from interhat_tf.ops import own_operations
from interhat_tf.schema import CATEGORICAL


def probability(logits):
    """Returns the probabilities that belong to logits, of any size, in double precision."""
    return (1 + np.tanh(np.asarray(logits, "float64") / 2)) / 2  # a sigmoid that cannot overflow


def explain_batches(model, batches, condition=None, return_heads=False):
    """Explains batch after batch of records.

    Args:
        model: A model with `explain` and `schema`, such as `InterHAt`.
        batches: Batches of records, as for `select_records`.
        condition: Which records are explained, as for `select_records`.
            Defaults to all.
        return_heads: Whether the self-attention maps are among what is yielded.
            Defaults to `False`.

    Yields:
        Pairs of the inputs and of what `model.explain` returns for them, both
        dictionaries of NumPy arrays.

    Raises:
        ValueError: As `select_records` does.
    """
    explain = _compiled_explain(model, return_heads)
    for inputs in select_records(model.schema, batches, condition):
        explanation = explain(inputs)
        yield inputs, {k: keras.ops.convert_to_numpy(v) for k, v in explanation.items()}


def explain_inputs(model, inputs, batch_size=8192, return_heads=False):
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


def in_batches(inputs, batch_size):
    """Yields the inputs of each `batch_size` consecutive records, and of those left over."""
    rows = len(next(iter(inputs.values())))
    for start in range(0, rows, batch_size):
        yield {kind: values[start : start + batch_size] for kind, values in inputs.items()}


def select_records(schema, batches, condition=None):
    """Reads the records that satisfy a condition.

    Args:
        schema: The records' `Schema`.
        batches: Iterable, such as a `tf.data.Dataset`, of batches: `inputs`, a
            dictionary of arrays as the schema has it, or `(inputs, labels)`.
            Batches may differ in size.
        condition: A function of a batch's inputs, as NumPy arrays, that returns
            a boolean mask, (B,); see `where`. Defaults to all records.

    Yields:
        The inputs of each batch's records that satisfy the condition, as NumPy
        arrays; a batch without such a record is left out.

    Raises:
        ValueError: If a batch does not follow the schema, or the condition does
            not return a boolean mask.
    """
    first_row = 0
    for batch in batches:
        inputs = batch[0] if isinstance(batch, (tuple, list)) else batch
        inputs = {name: np.asarray(value) for name, value in inputs.items()}
        schema.check(inputs, first_row=first_row)
        rows = len(next(iter(inputs.values())))
        first_row += rows
        if condition is not None:
            mask = np.asarray(condition(inputs))
            if mask.dtype != bool or mask.shape != (rows,):
                raise ValueError(
                    f"a condition must return a boolean mask of shape ({rows},), "
                    f"got {mask.dtype} of shape {mask.shape}"
                )
            inputs = {name: value[mask] for name, value in inputs.items()}
            rows = np.count_nonzero(mask)
        if rows:
            yield inputs


def where(schema, /, **ids):
    """Makes the condition that categorical fields have the given values.

    Args:
        schema: The record's `Schema`.
        **ids: Id that each named field must have.

    Returns:
        A function of a batch's inputs that returns a boolean mask, (B,).

    Raises:
        ValueError: If a field is unknown or numerical, or its vocabulary has no
            such id.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> schema = Schema([Field(f"f{i}", "categorical", 11) for i in range(1, 5)])
    >>> where(schema, f3=3, f4=4)({"categorical": np.array([[1, 2, 3, 4], [4, 4, 4, 4]])})
    array([ True, False])
    """
    fields = {field.name: (column, field) for column, field in enumerate(schema.categorical)}
    for name, value in ids.items():
        if name not in fields:
            problem = "numerical" if name in schema.field_names else "not in the schema"
            raise ValueError(f"field {name!r} is {problem}; a condition needs a categorical field")
        size = fields[name][1].vocabulary_size
        if value not in range(size):
            raise ValueError(f"field {name!r}: id {value} is outside the vocabulary [0, {size})")
    columns = [fields[name][0] for name in ids]
    wanted = list(ids.values())
    return lambda inputs: (inputs[CATEGORICAL][:, columns] == wanted).all(axis=1)  # (B,)


# Kept beside the models, not in them: TensorFlow would put a function that is a
# model's attribute into every exported SavedModel.
_compiled = weakref.WeakKeyDictionary()


def _compiled_explain(model, return_heads):
    """Returns `model.explain`, compiled once per model on the TensorFlow backend."""
    heads = {"return_heads": True} if return_heads else {}
    if keras.backend.backend() != "tensorflow":
        return lambda inputs: model.explain(inputs, **heads)
    functions = _compiled.setdefault(model, {})
    if return_heads not in functions:
        import tensorflow as tf

        # A strong reference would keep the model alive as long as this module.
        reference = weakref.ref(model)

        # Batch sizes differ; with reduced retracing the second one compiles for all.
        @tf.function(autograph=False, reduce_retracing=True)
        def explain(inputs):
            with own_operations():
                return reference().explain(inputs, **heads)

        functions[return_heads] = explain
    return functions[return_heads]
