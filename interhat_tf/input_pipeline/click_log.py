"""Your own click log, CSV or Parquet, as a prepared data set."""

import functools
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from interhat_tf.crosses import Cross
from interhat_tf.input_pipeline.catalog import check_arguments, dataset_names, prepare
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.checks import click_labels
from interhat_tf.preprocessing.fields import Categorical, Numerical, RawField, as_text
from interhat_tf.preprocessing.kinds import find_label, infer_kinds, named_kinds
from interhat_tf.preprocessing.log_files import COMPRESSIONS, part_files
from interhat_tf.preprocessing.parquet_log import ParquetLog
from interhat_tf.preprocessing.rows import (
    Rows,
    chronological_splits,
    random_splits,
)
from interhat_tf.preprocessing.text_log import TextLog
from interhat_tf.schema import CATEGORICAL

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")

Path = str | os.PathLike
"""A file or a folder."""


def prepare_click_log(
    paths: Path | Iterable[Path],
    *,
    name: str,
    data_dir: Path = "prepared",
    label: str | None = None,
    categorical: str | Iterable[str] | None = None,
    numerical: str | Iterable[str] | None = None,
    min_count: int = 1,
    delimiter: str | None = None,
    chronological: bool = False,
    crosses: Iterable[Cross | Sequence[str]] = (),
    **download_config: Any,
) -> PreparedDataset:
    """Prepares your own click log, or opens it if that has been done.

    A row of the log is an impression and whether it was clicked. The log is

    - CSV, in UTF-8, plain or compressed (`.csv`, `.tsv`, `.txt`; `.gz`, `.zst`).
      The first line of each file names the columns. A value may be in double
      quotes, but cannot hold a line end. Nothing between two delimiters is a
      missing value.
    - Parquet (`.parquet`). A large row group is read 131,072 rows at a time, so
      that memory is bounded, but from its start each time: row groups of more
      than a million rows take long.

    Ids, the scales of numbers and all else that is fitted come from the training
    rows alone; see `Categorical` and `Numerical`. A categorical value is its text in
    the log, so that `007` and `7` are two values.

    Columns are inferred if neither `categorical` nor `numerical` is given: text,
    booleans and whole numbers, which are ids as a rule in click logs, are
    categorical, other numbers are numerical. Of text files, the first 4 MiB
    decide. The result is in the set's `schema`.

    From then on the set opens by its name, without the log's files: with
    `input_pipeline.prepared_dataset` and with
    `python -m experiments.train --dataset=NAME`.

    Args:
        paths: The log's file, a folder of its parts, which are taken in the
            order of their names, or a list of files and folders.
        name: Name of the prepared set: lower-case letters, digits and
            underscores.
        data_dir: Folder of the prepared sets. Defaults to `"prepared"`.
        label: The column that says whether there was a click: 0 or 1, or false
            or true. Defaults to `None`: the only column that is called click,
            clicked, label, target or y.
        categorical: Names of the columns that become categorical fields.
        numerical: Names of the columns that become numerical fields. If one of
            the two is given, columns in neither are left out.
        min_count: Categorical values in fewer training rows than this are out
            of vocabulary. Defaults to 1: none is.
        delimiter: The character between two values of a text file. Defaults to
            `None`: a tab if the file's name ends in `.tsv`, otherwise a comma.
        chronological: Whether the first 80% of the rows train, the next 10%
            validate and the last 10% test. Defaults to `False`: rows are split
            8:1:1 at random.
        crosses: Crosses of two or three categorical fields, such as
            `[("user", "app")]`; see `PreparedDataset.with_crosses`. Defaults to
            none. They are no part of the prepared files: the set opens with any.
        **download_config: Further arguments of `tfds.download.DownloadConfig`,
            say `beam_runner` and `beam_options`.

    Returns:
        The `input_pipeline.PreparedDataset`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is not there or its kind cannot be inferred, a
            value is not of its kind, or a set of this name has been prepared
            from another log or with other arguments, or a cross is wrong. For a value, the message
            names the file and the line, or of a Parquet file the row, counted
            from 1.
        TypeError: If there is no such argument.

    Example:

    >>> import pathlib, tempfile
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> apps, prices = ["maps", "mail", "chat", "mail"] * 50, [row / 4 for row in range(200)]
    >>> log = pa.table({"click": [0, 1] * 100, "app": apps, "price": prices})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "log.parquet"
    ...     pq.write_table(log, path)
    ...     data = prepare_click_log(path, name="my_log", data_dir=folder)
    >>> data.vocabularies
    {'app': ['mail', 'maps', 'chat']}
    >>> data.encode({"app": ["mail", "news"], "price": [100, None]})
    {'categorical': array([[1],
           [0]], dtype=int32), 'numerical': array([[1.],
           [0.]], dtype=float32)}
    """
    check_arguments(download_config, prepare_click_log)
    _check_name(name)
    log = _find_log(_as_list(paths), delimiter)
    label = find_label(log.columns, label)
    if categorical is None and numerical is None:
        kinds = infer_kinds(log, label)
    else:
        named = _as_list(categorical or []), _as_list(numerical or [])
        kinds = named_kinds(log.columns, label, *named)
    fields = tuple(
        Categorical(column, min_count) if kind == CATEGORICAL else Numerical(column)
        for column, kind in kinds.items()
    )
    builder = _Builder(name, log, label, fields, chronological, data_dir)
    data = prepare(builder, **download_config)
    builder.check_made_from()
    return data.with_crosses(crosses)


class _Builder(ClickLogBuilder, skip_registration=True):
    """The tfds builder of a log.

    Args:
        name: The set's name.
        log: The `TextLog` or `ParquetLog`.
        label: Name of the column of labels.
        fields: The `Categorical` and `Numerical` fields.
        chronological: Whether the rows are split by their order in the log.
        data_dir: Folder of the prepared sets.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(
        self,
        name: str,
        log: TextLog | ParquetLog,
        label: str,
        fields: Sequence[RawField],
        chronological: bool,
        data_dir: Path,
    ):
        self.name = name  # tfds has one for each class
        self.log, self.label, self.chronological = log, label, chronological
        self._fields = fields
        super().__init__(data_dir=data_dir)
        # What tfds makes the builder from after it was sent to a cluster's worker.
        self._original_state = {
            "name": name,
            "log": log,
            "label": label,
            "fields": fields,
            "chronological": chronological,
            "data_dir": data_dir,
        }

    @property
    def fields(self) -> Sequence[RawField]:
        """The fields that were named or inferred."""
        return self._fields

    @functools.cached_property
    def made_from(self) -> dict[str, Any]:
        """What the prepared set depends on, as its metadata keeps it."""
        return {
            "files": [[path, epath.Path(path).stat().length] for path in self.log.paths],
            "label": self.label,
            "fields": [str(field) for field in self.fields],
            "chronological": self.chronological,
        }

    def check_made_from(self) -> None:
        """Raises an error if the prepared set was made from something else."""
        made_from = tfds.builder_from_directory(self.data_path).info.metadata.get("made_from", {})
        differences = [key for key in self.made_from if made_from.get(key) != self.made_from[key]]
        if differences:
            raise ValueError(
                f"{self.data_path} holds a prepared set that differs in: "
                f"{', '.join(differences)}; give another name, or remove the folder"
            )

    def _shard_iterators_per_split(self, dl_manager):
        made_from = self.made_from  # the files' sizes before they are read
        iterators = super()._shard_iterators_per_split(dl_manager)
        self.info.metadata["made_from"] = made_from
        return iterators

    def _chunks(self, dl_manager):
        if self.chronological:
            self.log.rows  # noqa: B018 - counted here, not by each thread or worker
        return self.log.chunks

    def _read_chunk(self, chunk: Any) -> Rows:
        values = self.log.read(chunk, self.label, self.fields)
        labels = click_labels(as_text(values[self.label]), chunk, self.label)
        if self.chronological:
            splits = chronological_splits(chunk.first_row, chunk.rows, self.log.rows)
        else:
            splits = random_splits(chunk.first_row, chunk.rows)
        values = values.select([field.name for field in self.fields])
        return Rows(values, labels, splits, chunk.path, chunk.first_line, chunk.first_row)


def _check_name(name):
    # Capitals would be lost in the names that tfds gives to folders.
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise ValueError(
            f"name is {name!r}; a name has lower-case letters, digits and underscores, "
            f"and begins with a letter"
        )
    if name in dataset_names():
        raise ValueError(f"name is {name!r}, which is a public data set's; choose another")


def _find_log(paths: list[Path], delimiter: str | None) -> TextLog | ParquetLog:
    files = [file for path in paths for file in _files(epath.Path(path).expanduser())]
    if not files:
        raise FileNotFoundError("a click log needs at least one file; none was given")
    suffixes = [_suffix(path) for path in files]
    if set(suffixes) == {".parquet"}:
        return ParquetLog([str(path) for path in files])
    for path, suffix in zip(files, suffixes, strict=True):
        if suffix not in TEXT_SUFFIXES:
            raise ValueError(
                f"{path}: a log is text files ({', '.join(TEXT_SUFFIXES)}; plain or compressed as "
                f"{' or '.join(COMPRESSIONS)}), or Parquet files (.parquet) alone; rename the file"
            )
    if delimiter is None:
        delimiter = "\t" if suffixes[0] == ".tsv" else ","
    return TextLog([str(path) for path in files], delimiter)


def _files(path):
    """Returns a file, or the parts in a folder but for hidden files and those Spark adds."""
    path = path.resolve()
    if path.is_dir():
        parts = part_files(path)
        if not parts:
            raise FileNotFoundError(f"{path} is a folder without files; give a click log")
        return parts
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing; a set prepared earlier opens with "
            f"interhat_tf.input_pipeline.prepared_dataset"
        )
    return [path]


def _suffix(path):
    return (path.with_suffix("") if path.suffix in COMPRESSIONS else path).suffix


def _as_list(value: Path | Iterable[Path]) -> list[Any]:
    return [value] if isinstance(value, str | os.PathLike) else list(value)
