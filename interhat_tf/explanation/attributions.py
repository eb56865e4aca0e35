"""How much each field of a record counts for its prediction, by several methods.

The weights and contributions of `InterHAt.explain` come with the prediction and
cost nothing, but they speak of positions behind the self-attention, where each
position also holds what it has read from the others. The methods here that ask
the model again, with fields changed, speak of the record's own values.
"""

import keras
import numpy as np
import tensorflow as tf

from interhat_tf.explanation.batches import (
    ROWS,
    check_base,
    explain_batches,
    explain_inputs,
    in_batches,
    predict,
)
from interhat_tf.explanation.compiled import compiled
from interhat_tf.explanation.field_sets import checked, mean_logits, members
from interhat_tf.schema import MULTIVALUED, PADDING, Batch


def attention(model: keras.Model, inputs: Batch) -> np.ndarray:
    """Returns the field weights of all orders, weighted by the orders' own, (B, m).

        a_j = sum_i alpha_f[i] alpha_i[j]

    They are positive and sum to 1.

    Args:
        model: An `InterHAt`.
        inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N).
    """
    explained = explain_inputs(model, inputs)
    return np.einsum("bk,bkm->bm", explained["order_weights"], explained["field_weights"])


def rolled_out_attention(model: keras.Model, inputs: Batch) -> np.ndarray:
    """Returns `attention`, traced back through the self-attention to the fields it read, (B, m).

        r = a (I + A) / 2,  A the mean of the heads' attention weights

    This is attention rollout (Abnar and Zuidema, ACL 2020) with one layer: the
    unit matrix stands for the residual path. Without self-attention it is
    `attention`.

    Args:
        model: An `InterHAt`.
        inputs: As for `attention`.
    """
    weights = attention(model, inputs)  # (B, m)
    if not model.self_attention:
        return weights
    batches = explain_batches(model, in_batches(inputs, ROWS), return_heads=True)
    heads = np.concatenate([explained["heads"].mean(axis=1) for _, explained in batches])
    return (weights + np.einsum("bq,bqm->bm", weights, heads)) / 2  # (B, m)


def contributions(model: keras.Model, inputs: Batch) -> np.ndarray:
    """Returns the signed contributions of `InterHAt.explain`, summed over the orders, (B, m).

    With the bias they add up to the logit.

    Args:
        model: An `InterHAt`.
        inputs: As for `attention`.
    """
    explained = explain_inputs(model, inputs)
    check_base(explained["logits"], explained["bias"])
    return explained["contributions"].sum(axis=1)


def gradient_times_input(model: keras.Model, inputs: Batch) -> np.ndarray:
    """Returns `e_j . dlogit/de_j` of each field's embedding e_j, (B, m).

    Args:
        model: An `InterHAt`, or another model with `embedding` and `predict_embedded`.
        inputs: As for `attention`.
    """
    gradient = compiled(model, "embedding_gradient", _embedding_gradient)
    parts = []
    for part in in_batches(inputs, ROWS):
        fields = model.embedding(part)  # (B, m, d)
        parts.append(tf.reduce_sum(fields * gradient(fields), axis=-1).numpy())
    return np.concatenate(parts)


def integrated_gradients(
    model: keras.Model, inputs: Batch, background: Batch, steps: int = 32
) -> np.ndarray:
    """Returns the integrated gradients of the fields' embeddings, (B, m).

        (e_j - b_j) . mean_t dlogit/de_j(b + t (e - b)),  t = 1/2n, 3/2n, ...

    (Sundararajan et al., ICML 2017). The base b is the mean embedding of each
    field over the background. The sum over the fields is the logit less the
    logit of the base, up to the error of the mean over n steps.

    Args:
        model: An `InterHAt`, or another model with `embedding` and `predict_embedded`.
        inputs: As for `attention`.
        background: Inputs of records that stand for the data.
        steps: Number n of points on the way. Defaults to 32.
    """
    gradient = compiled(model, "embedding_gradient", _embedding_gradient)
    base = tf.reduce_mean(model.embedding(background), axis=0, keepdims=True)  # (1, m, d)
    parts = []
    for part in in_batches(inputs, ROWS):
        way = model.embedding(part) - base  # (B, m, d)
        mean = tf.zeros_like(way)
        for step in range(steps):
            mean += gradient(base + (step + 0.5) / steps * way) / steps
        parts.append(tf.reduce_sum(way * mean, axis=-1).numpy())
    return np.concatenate(parts)


def occlusion(model: keras.Model, inputs: Batch, background: Batch) -> np.ndarray:
    """Returns what each field's value adds to the logit, against other values of it, (B, m).

        logit(x) - mean_b logit(x with b_j in place of x_j)

    over all records b of the background. It costs m times as many predictions
    as the background has records, for each record that is explained. A cross has
    another record's value if all of its fields have.

    Args:
        model: Any model with `schema` that gives logits, (B, 1).
        inputs: As for `attention`.
        background: Inputs of records that stand for the data; some tens are enough.

    Raises:
        ValueError: If the records do not follow the schema, or there is none.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> from interhat_tf.models import LR
    >>> model = LR(Schema([Field("user", "categorical", 9), Field("app", "categorical", 5)]))
    >>> records = {"categorical": np.array([[4, 1], [2, 3], [5, 1]])}
    >>> occlusion(model, records, records).shape
    (3, 2)
    """
    schema = model.schema
    inputs, background = checked(schema, inputs), checked(schema, background)
    places = {field.name: place for place, field in enumerate(schema.record_fields)}
    crosses = {cross.name: cross.fields for cross in schema.crosses}
    names = [crosses.get(name, (name,)) for name in schema.field_names]
    sets = [(), *(tuple(places[name] for name in of_field) for of_field in names)]
    replaced = members(sets, np.arange(len(places))[None], len(places))  # (1, 1 + m, fields)
    means = mean_logits(model, inputs, background, replaced)  # (B, 1 + m)
    return means[:, :1] - means[:, 1:]


def value_effects(model: keras.Model, inputs: Batch) -> np.ndarray:
    """Returns what each value of a multivalued field adds to the logit, (B, L).

        logit(x) - logit(x without the value)

    The others stay, in their order; a field without its only value has none. Where there
    is no value, the effect is 0. It costs as many predictions as the records have values.

    Args:
        model: Any model with `schema` that gives logits, (B, 1).
        inputs: Inputs with `multivalued`, (B, L), among others.

    Raises:
        ValueError: If the records do not follow the schema, or there is none.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> from interhat_tf.models import LR
    >>> model = LR(Schema([Field("genres", "multivalued", 9, max_length=3)]))
    >>> value_effects(model, {"multivalued": np.array([[4, 1, -1]])}).tolist()
    [[0.0, 0.0, 0.0]]
    """
    inputs = checked(model.schema, inputs)
    ids, places = inputs[MULTIVALUED], np.array(model.schema.columns[MULTIVALUED])
    logits, effects = predict(model, inputs).astype("float64"), np.zeros(ids.shape)
    for column, place in enumerate(places):
        has_value = np.flatnonzero(ids[:, column] != PADDING)
        if not len(has_value):
            continue
        part = {kind: values[has_value] for kind, values in inputs.items()}
        behind = np.flatnonzero((places == place) & (np.arange(len(places)) >= column))
        part[MULTIVALUED][:, behind[:-1]] = part[MULTIVALUED][:, behind[1:]]
        part[MULTIVALUED][:, behind[-1]] = PADDING
        effects[has_value, column] = logits[has_value] - predict(model, part)
    return effects


def _embedding_gradient(model: keras.Model, fields: tf.Tensor) -> tf.Tensor:
    """Returns the gradient of the logits by embedded fields, (B, m, d)."""
    with tf.GradientTape() as tape:
        tape.watch(fields)
        logits = model.predict_embedded(fields)  # (B, 1)
    return tape.gradient(logits, fields)  # (B, m, d)
