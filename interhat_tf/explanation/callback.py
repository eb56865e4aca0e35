"""A Keras callback that draws a model's attention while it trains."""

import os
import pathlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from interhat_tf.errors import SettingError
from interhat_tf.explanation.attention_maps import Attention, mean_attention
from interhat_tf.explanation.heatmap import attention_heatmap, save_heatmap
from interhat_tf.explanation.record_values import with_crossed_values
from interhat_tf.explanation.selection import Condition, select_records
from interhat_tf.schema import Batch


class AttentionHeatmaps(keras.callbacks.Callback):
    """Exports a model's attention weights during training, as arrays and as heat maps.

    At each chosen epoch, every given record and every condition's mean over the
    given batches become two files: `directory/epoch_003/NAME.npz`, an
    `Attention`, and `NAME.png`, its heat map. In `NAME`, everything but
    letters, digits and `_ . = + -` is replaced by an underscore.

    Put it after `keras.callbacks.EarlyStopping(restore_best_weights=True)` in
    the list of callbacks, so that the end of training shows the restored
    weights; the folder's number is still that of the last epoch.

    Args:
        directory: Folder of the exports; it is made if it is not there.
        records: Inputs of a few records, a picture each. Defaults to none.
        record_names: Name of each record. Defaults to `record_0`, `record_1`
            and so on.
        record_values: For each record, its own value of each field, for the
            picture. Defaults to none.
        batches: Batches of records, finite and readable more than once, such as
            a `tf.data.Dataset`; see `select_records`. Defaults to none.
        conditions: Dictionary from a name to the condition of the records of
            `batches` that are averaged, or to `None` for all; see `where`.
            Defaults to `{"all": None}`.
        epochs: When to export: `None` for the end of training, also an early
            one; `"all"` for the end of every epoch; or the epochs, counted from
            0 as Keras does. Defaults to `None`.

    Raises:
        ValueError: If there is nothing to export, `epochs` is another string,
            names and values are not one for each record, two names make the
            same file, or `batches` can be read only once. When training begins:
            if the model does not explain itself, the inputs or values do not
            fit its schema, or no record satisfies a condition.

    Example:

    >>> import numpy as np
    >>> from interhat_tf import Field, InterHAt, Schema
    >>> from interhat_tf.explanation import where
    >>> schema = Schema([Field("f1", "categorical", 11), Field("f2", "categorical", 11)])
    >>> export = AttentionHeatmaps(
    ...     "attentions",
    ...     batches=[{"categorical": np.array([[1, 2], [3, 4]])}],
    ...     conditions={"f1=1": where(schema, f1=1)},
    ... )
    >>> InterHAt(schema).fit(..., callbacks=[export])  # doctest: +SKIP
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        *,
        records: Batch | None = None,
        record_names: Sequence[str] | None = None,
        record_values: Sequence[Sequence[Any] | None] | None = None,
        batches: Iterable[Any] | None = None,
        conditions: Mapping[str, Condition | None] | None = None,
        epochs: str | Collection[int] | None = None,
    ) -> None:
        super().__init__()
        if records is None and batches is None:
            raise SettingError("there is nothing to export: give `records`, `batches` or both")
        if isinstance(epochs, str) and epochs != "all":
            raise SettingError(
                f"epochs must be None, 'all' or a collection of ints, got {epochs!r}"
            )
        if batches is not None and iter(batches) is batches:
            raise SettingError("batches must be readable more than once; a generator is not")
        if conditions is not None and batches is None:
            raise SettingError("conditions need batches, whose records they select")
        self.directory = pathlib.Path(directory)
        self.records = _split(records or {})
        self.record_names = record_names or [f"record_{i}" for i in range(len(self.records))]
        self.record_values = record_values or [None] * len(self.records)
        if not len(self.records) == len(self.record_names) == len(self.record_values):
            raise SettingError(
                f"{len(self.records)} records need as many names and values, "
                f"got {len(self.record_names)} names and {len(self.record_values)} values"
            )
        self.batches = () if batches is None else batches
        self.conditions = {} if batches is None else conditions or {"all": None}
        self.file_names = _file_names([*self.record_names, *self.conditions])
        self.epochs = epochs

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Finds what would otherwise fail only when the training is over."""
        if not hasattr(self.model, "explain") or not hasattr(self.model, "schema"):
            raise SettingError(
                "AttentionHeatmaps needs a model with `explain` and `schema`, such as InterHAt; "
                f"got {type(self.model).__name__}"
            )
        schema = self.model.schema
        for name, record, values in self._records():
            schema.check(record, where=f"record {name!r}")
            if values is not None and len(values) != len(schema.record_fields):
                raise SettingError(
                    f"record {name!r}: {len(schema.record_fields)} fields, but {len(values)} values"
                )
        for name, condition in self.conditions.items():
            if next(select_records(schema, self.batches, condition), None) is None:
                raise SettingError(f"no record satisfies the condition {name!r}")
        self.last_epoch: int | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Exports if the epoch is a chosen one."""
        self.last_epoch = epoch
        if self.epochs == "all" or (self.epochs is not None and epoch in self.epochs):
            self._export(epoch)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Exports if the end of training is what was asked for."""
        if self.epochs is None and self.last_epoch is not None:
            self._export(self.last_epoch)

    def _records(self) -> Iterator[tuple[str, Batch, Sequence[Any] | None]]:
        return zip(self.record_names, self.records, self.record_values, strict=True)

    def _export(self, epoch: int) -> None:
        schema = self.model.schema
        for name, record, values in self._records():
            if values is not None:
                (values,) = with_crossed_values(schema, record, np.array([values], object))
            self._write(epoch, name, mean_attention(self.model, [record]), values)
        for name, condition in self.conditions.items():
            self._write(epoch, name, mean_attention(self.model, self.batches, condition), None)

    def _write(
        self, epoch: int, name: str, attention: Attention, values: Sequence[Any] | None
    ) -> None:
        path = self.directory / f"epoch_{epoch:03d}" / self.file_names[name]
        attention.save(f"{path}.npz")
        of = f"mean of {attention.records:,} records, " if name in self.conditions else ""
        title = f"{name}, epoch {epoch}: {of}click probability {attention.probability:.2f}"
        figure = attention_heatmap(attention, title=title, values=values)
        save_heatmap(figure, f"{path}.png")


def _split(inputs: Batch) -> list[Batch]:
    """Cuts the inputs of a batch into batches of one record each."""
    rows = len(next(iter(inputs.values()))) if inputs else 0
    return [{key: value[i : i + 1] for key, value in inputs.items()} for i in range(rows)]


def _file_names(names: Sequence[str]) -> dict[str, str]:
    """Maps names to names of files, without ending, that are safe on any file system."""
    file_names = {name: re.sub(r"[^\w.=+-]+", "_", name).strip("._") for name in names}
    if empty := [name for name, file in file_names.items() if not file]:
        raise SettingError(f"no file can be named {empty[0]!r}; use letters or digits")
    # Some file systems do not tell capitals from small letters.
    if len({file.casefold() for file in file_names.values()}) < len(names):
        raise SettingError(f"these names do not make different files: {', '.join(names)}")
    return file_names
