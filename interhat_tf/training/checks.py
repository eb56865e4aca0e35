"""What is checked before a training begins."""

from collections.abc import Iterable

import keras
import numpy as np

from interhat_tf.errors import DataError, SettingError
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import CATEGORICAL, OUT_OF_VOCABULARY
from interhat_tf.training.alignment import check_alignment
from interhat_tf.training.evaluation import categorical_column
from interhat_tf.training.microbatch import check_microbatches
from interhat_tf.training.order_alignment import check_order_alignment
from interhat_tf.training.self_distillation import check_self_distillation
from interhat_tf.training.settings import TrainingSettings


def check_training(
    model: keras.Model, data: PreparedDataset, settings: TrainingSettings, splits: Iterable[str]
) -> None:
    """Checks that a model can be trained as the settings ask, and the records of some splits.

    Raises:
        ValueError: If the model cannot be trained in microbatches, with
            self-distillation or with alignment, or counts clicks of a cross that the data
            were not opened with, `auc_by` is no field, a record does not follow the
            schema, or the labels of a split that is evaluated are all the same.
    """
    _check_click_counts(model, data)
    if settings.microbatch_size:
        check_microbatches(model, settings.jit_compile)
    if settings.self_distillation:
        check_self_distillation(model)
    beside = 0.0 if settings.alignment_epochs else settings.self_distillation
    if settings.effect_weight:
        check_alignment(model, "effect_weight", beside)
    if settings.order_weight:
        check_alignment(model, "order_weight", beside)
        check_order_alignment(model)
    if settings.auc_by:
        categorical_column(data.schema, settings.auc_by)
    for split in splits:
        data.check(split)
        if split != "train":
            _check_labels(data, split, settings.auc_by)


def _check_labels(data: PreparedDataset, split: str, auc_by: str | None) -> None:
    """Raises an error if a split's AUC, or that of a field's known values, cannot be computed."""
    counts = data.statistics["splits"][split]
    advice = "AUC needs both; prepare the log with more rows, or split otherwise"
    if counts["positives"] in (0, counts["rows"]):
        raise DataError(
            f"{data.name}, {split}: all labels are {int(counts['positives'] > 0)}, and {advice}"
        )
    if data.weighted and not all(data.label_weights(split)):
        raise DataError(f"{data.name}, {split}: all records of one label weigh 0, and {advice}")
    if auc_by:
        _check_groups(data, split, auc_by)


def _check_groups(data: PreparedDataset, split: str, field: str) -> None:
    """Raises an error if none of a field's known values has records of both labels."""
    _, column = categorical_column(data.schema, field)
    with_label: tuple[set[int], set[int]] = (set(), set())
    for inputs, labels, *weights in data.evaluation_batches(split):
        ids = np.asarray(inputs[CATEGORICAL])[:, column]
        counts = ids != OUT_OF_VOCABULARY
        if weights:
            counts &= np.asarray(weights[0]) > 0
        for label, known in enumerate(with_label):
            known |= set(ids[counts & (np.asarray(labels) == label)].tolist())
        if set.intersection(*with_label):
            return
    raise DataError(
        f"{data.name}, {split}: no known value of {field!r} has records of both labels, which "
        f"auc_by needs; split another way, or leave auc_by out"
    )


def _check_click_counts(model: keras.Model, data: PreparedDataset) -> None:
    there = {cross.name for cross in data.schema.crosses}
    for cross in model.schema.crosses:
        if cross.counts is not None and cross.name not in there:
            raise SettingError(
                f"the model has a field {cross.name!r}, which must not count a training record's "
                f"own click: open {data.name} with the same crosses; in a command, give "
                f"--crosses and --click_counts as before"
            )
