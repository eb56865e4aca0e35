"""A log that is read as that of an earlier set was, whose vocabulary grows with it."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from interhat_tf.errors import SettingError
from interhat_tf.growth import Growth
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.input_pipeline.raw_values import MAX_UNKNOWN, lists_of
from interhat_tf.preprocessing.ancestor import Ancestor
from interhat_tf.preprocessing.fields import Categorical
from interhat_tf.preprocessing.labels import Label
from interhat_tf.preprocessing.log_formats import Log, find_log
from interhat_tf.preprocessing.log_parts import new_parts
from interhat_tf.preprocessing.log_plan import LogPlan, follow_plan
from interhat_tf.preprocessing.row_weights import RowWeights
from interhat_tf.preprocessing.splits import Split
from interhat_tf.preprocessing.table_log import TableLog
from interhat_tf.schema import CATEGORICAL, PADDING


def check_growing(data: PreparedDataset, chosen: Mapping[str, Any]) -> None:
    """Checks that a log can be read as a set's was.

    Args:
        data: The set.
        chosen: Arguments that the set has decided already and their values, which
            are to be empty.

    Raises:
        ValueError: If it cannot, or an argument was given.
    """
    if "made_from" not in data.metadata:
        raise SettingError(
            f"{data.name} was not prepared by prepare_click_log: no log can grow from it"
        )
    if given := [name for name, value in chosen.items() if value]:
        raise SettingError(
            f"{', '.join(given)}: with grow= this is taken from {data.name}; leave it out"
        )


def new_log(log: Log, data: PreparedDataset, delimiter: str | None, encoding: str | None) -> Log:
    """Returns those files of a log that are neither in a set nor in those it grew from.

    Raises:
        ValueError: If there are none, or one of the set's has changed.
    """
    if isinstance(log, TableLog):
        return log
    files = new_parts(log.paths, _parts(data), data.name)
    return log if files == log.paths else find_log(files, delimiter, encoding)


def plan_new_log(log: Log, data: PreparedDataset, split: Split) -> LogPlan:
    """Returns the plan by which a log is read as a set's was; see `follow_plan`."""
    made_from = data.metadata["made_from"]
    label = Label(made_from["label"], *made_from.get("label_values", ("0", "1")))
    # All values are counted, those of the earlier set too, however rare they are today.
    fields = [
        dataclasses.replace(field, min_count=1) if isinstance(field, Categorical) else field
        for field in data.encoding.fields
    ]
    weights = made_from.get("weights") and RowWeights(**made_from["weights"])
    sample, where = log.sample(), log.paths[0]
    return follow_plan(sample, where, label, fields, data.reading, data.name, weights, split)


def warn_of_new_values(data: PreparedDataset, growth: Growth) -> None:
    """Warns of the fields of which the set that a set grew from lacks most values.

    They may be written in another way, as `13` where it was `0013`: then each has two ids.

    Args:
        data: The set that grew; its training rows are read once.
        growth: What it grew from.
    """
    shares = _shares_of_new_values(data, growth)
    if many := [f"{name} {share:.0%}" for name, share in shares.items() if share > MAX_UNKNOWN]:
        warnings.warn(
            f"{data.name}: values that {growth.origin} does not have: {', '.join(many)}; see "
            f"that they are written as in its log",
            stacklevel=3,
        )


def _shares_of_new_values(data, growth):
    """Returns the share of a grown set's training values that the earlier one lacks, by field."""
    shares = {}
    for field, rows in _count_ids(data):
        sources = growth.sources(field.shares or field.name, field.vocabulary_size)
        known = np.count_nonzero(sources > 0)  # their ids are 1, 2, …
        if field.hash_size is None:
            shares[field.name] = 1 - rows[1 : known + 1].sum() / rows.sum() if rows.any() else 0.0
    return shares


def ancestor(
    data: PreparedDataset, drop_after: int | None = None, drop_below: int | None = None
) -> Ancestor:
    """Returns what a set that grows from another one needs of it.

    The training rows are read once, but of a set that grew itself.

    Args:
        data: The set that is grown from.
        drop_after: As for `Ancestor`.
        drop_below: As for `Ancestor`.

    Raises:
        ValueError: As `Ancestor` does.
    """
    if data.growth:
        unseen, counts = data.growth.unseen, data.growth.counts
    else:
        counts = _count_values(data)
        unseen = {name: [0] * len(rows) for name, rows in counts.items()}
    return Ancestor(data.name, data.encoding, unseen, counts, _parts(data), drop_after, drop_below)


def _parts(data):
    if "parts" in data.metadata:
        return data.metadata["parts"]
    # A set of an earlier version; a table has a digest in place of a size.
    files = data.metadata["made_from"].get("files", ())
    return [{"path": path, "size": size} for path, size in files if isinstance(size, int)]


def _count_values(data):
    """Returns the training rows of each value, in the order of the ids, by field."""
    counts = _count_ids(data)
    return {field.name: rows[1:].tolist() for field, rows in counts if field.shares is None}


def _count_ids(data):
    """Returns each field with ids, and the training rows of each id, 0 included."""
    fields = (*data.schema.categorical, *data.schema.multivalued)
    counts = [np.zeros(field.vocabulary_size, np.int64) for field in fields]
    for inputs, *_ in data.evaluation_batches("train").as_numpy_iterator():
        columns = [*inputs.get(CATEGORICAL, np.empty((0, 0))).T, *lists_of(inputs, data.schema)]
        for total, ids in zip(counts, columns, strict=True):
            total += np.bincount(ids[ids != PADDING], minlength=len(total))
    return list(zip(fields, counts, strict=True))
