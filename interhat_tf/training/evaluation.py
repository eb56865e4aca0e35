"""What a model predicts for a split of a data set, and how well."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.dataset import EVALUATION_BATCH_SIZE, PreparedDataset
from interhat_tf.input_pipeline.raw_values import warn_of_unknown
from interhat_tf.ops import cpu_kernels
from interhat_tf.schema import CATEGORICAL, OUT_OF_VOCABULARY, Schema
from interhat_tf.training import metrics
from interhat_tf.training.microbatch import predict_microbatches

Predict = Callable[[Mapping[str, Any]], Any]
"""A function from a batch's inputs to its logits, (B, 1)."""


def evaluate(
    model: keras.Model,
    data: PreparedDataset,
    split: str,
    predict: Predict | None = None,
    auc_by: str | None = None,
) -> dict[str, float]:
    """Returns the exact `auc` and `logloss` of a model on a split of a data set.

    Both are weighted if the data set has weights. A warning names the fields of which
    training rows lack more than half of the split's values (`data.unknown_shares_of`).

    Args:
        model: A model that gives logits, (B, 1).
        data: The `PreparedDataset`.
        split: The split.
        predict: A function from a batch's inputs to its logits. Defaults to
            `model.predict_on_batch`.
        auc_by: A categorical field, such as the user. The figures then have `auc_by_FIELD`,
            the `metrics.grouped_auc` of its values, without records whose value is
            unknown. Defaults to `None`.

    Raises:
        ValueError: If `auc_by` is no categorical field, or the model was trained on another
            set, whose ids stand for other values.
    """
    data.check_model(model)
    warn_of_unknown(data.unknown_shares_of(split), where=f"{data.name}, {split}: ")
    column = categorical_column(data.schema, auc_by) if auc_by else None
    batches = data.evaluation_batches(split)
    with data.naming_damage(split):
        return evaluate_batches(batches, predict or model.predict_on_batch, column)


def categorical_column(schema: Schema, field: str) -> tuple[str, int]:
    """Returns a categorical field's name and its column in `categorical`.

    Raises:
        ValueError: If there is no such field.
    """
    names = [field.name for field in schema.categorical]
    if field not in names:
        known = ", ".join(names) or "none"
        raise SettingError(f"auc_by: {field!r} is no categorical field; those are {known}")
    return field, names.index(field)


def evaluate_batches(
    batches: Iterable[tuple[Any, ...]], predict: Predict, grouping: tuple[str, int] | None = None
) -> dict[str, float]:
    """Returns the exact `auc` and `logloss` of predictions for batches.

    Args:
        batches: Batches of inputs and labels, or of inputs, labels and weights: then both
            metrics are weighted.
        predict: A function from a batch's inputs to its logits.
        grouping: A categorical field and its column, which add `auc_by_FIELD`, as for
            `evaluate`. Defaults to `None`: none.
    """
    ids: list[np.ndarray] = []

    def noting_ids(column: int) -> Iterator[tuple[Any, ...]]:
        for batch in batches:
            ids.append(np.asarray(batch[0][CATEGORICAL])[:, column])
            yield batch

    read = noting_ids(grouping[1]) if grouping else batches
    labels, logits, *weights = _predict_batches(read, predict)
    groups = (grouping[0], np.concatenate(ids)) if grouping else None
    return scores_of(labels, logits, weights[0] if weights else None, groups)


def scores_of(
    labels: np.ndarray,
    logits: np.ndarray,
    weights: np.ndarray | None = None,
    groups: tuple[str, np.ndarray] | None = None,
) -> dict[str, float]:
    """Returns the exact `auc` and `logloss` of predictions.

    Args:
        labels: 0 or 1, (n,).
        logits: Predictions, (n,).
        weights: The records' weights, (n,), by which both are weighted. Defaults to `None`:
            all are 1.
        groups: A categorical field and its ids, (n,), which add `auc_by_FIELD`, as for
            `evaluate`. Defaults to `None`: none.

    Example:

    >>> labels, logits = np.array([0, 1, 1, 0]), np.array([-1.0, 1.0, -0.5, 0.5])
    >>> scores = scores_of(labels, logits, groups=("user", np.array([1, 1, 2, 2])))
    >>> scores["auc"], scores["auc_by_user"]
    (0.75, 0.5)
    """
    scores = {
        "auc": metrics.auc(labels, logits, weights),
        "logloss": metrics.logloss(labels, logits, weights),
    }
    if groups:
        field, ids = groups
        known = ids != OUT_OF_VOCABULARY
        of_known = None if weights is None else weights[known]
        scores[f"auc_by_{field}"] = metrics.grouped_auc(
            labels[known], logits[known], ids[known], of_known
        )
    return scores


def predict_logits(
    model: keras.Model, data: PreparedDataset, split: str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels and the logits of a split's records, (n,) each, in stored order.

    Args:
        model: A model that gives logits, (B, 1).
        data: The `PreparedDataset`.
        split: The split.
    """
    labels, logits, _ = predict_weighted(model, data, split)
    return labels, logits


def predict_weighted(
    model: keras.Model,
    data: PreparedDataset,
    split: str,
    predict: Predict | None = None,
    records: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Returns labels, logits and weights of a split's records, the last `None` if it has none.

    Args:
        model: A model that gives logits, (B, 1).
        data: The `PreparedDataset`.
        split: The split.
        predict: As for `evaluate`.
        records: How many of the first records at least, in whole batches of 8,192. Their
            order is random. Defaults to `None`: all.

    Raises:
        ValueError: If the model was trained on another set, whose ids stand for other values.
    """
    data.check_model(model)
    batches = data.evaluation_batches(split, EVALUATION_BATCH_SIZE)
    if records is not None:
        batches = batches.take(-(-records // EVALUATION_BATCH_SIZE))
    with data.naming_damage(split):
        labels, logits, *weights = _predict_batches(batches, predict or model.predict_on_batch)
    return labels, logits, weights[0] if weights else None


def compile_prediction(model: keras.Model, microbatch_size: int | None = None) -> Predict:
    """Returns a function from a batch's inputs to its logits, (B, 1).

    The replicas of the strategy that the model was built under, if there are
    several, share the batch; each gets all logits.

    Args:
        model: A model that gives logits, (B, 1).
        microbatch_size: As for `step.compile_steps`.
    """
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if replicas == 1 and not microbatch_size:
        return model.predict_on_batch

    def predict(inputs: Mapping[str, Any]) -> Any:
        with cpu_kernels():  # here, since a strategy's replicas have their own threads
            if microbatch_size:
                return predict_microbatches(model, inputs, microbatch_size)
            return model(inputs)

    def predict_share(inputs: Mapping[str, Any]) -> Any:
        replica = tf.distribute.get_replica_context()
        rows, number = tf.shape(next(iter(inputs.values())))[0], replica.replica_id_in_sync_group
        first, last = (i * rows // replicas for i in (number, number + 1))
        logits = predict({kind: values[first:last] for kind, values in inputs.items()})
        return replica.all_gather(logits, axis=0)  # (B, 1)

    @tf.function(autograph=False, reduce_retracing=True)
    def predict_batch(inputs: Mapping[str, Any]) -> Any:
        if replicas == 1:
            return predict(inputs)
        return strategy.experimental_local_results(strategy.run(predict_share, args=(inputs,)))[0]

    return predict_batch


def _predict_batches(batches, predict):
    """Returns labels, logits and, if batches have them, weights, (n,) each."""
    parts = []
    for inputs, labels, *weights in batches:
        logits = np.asarray(predict(inputs))[:, 0]  # (B,)
        parts.append((np.asarray(labels), logits, *map(np.asarray, weights)))
    return tuple(map(np.concatenate, zip(*parts, strict=True)))
