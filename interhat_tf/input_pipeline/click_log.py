"""A click log of your own, CSV or Parquet, to a prepared data set."""

import contextlib
import dataclasses
import functools
import os
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tensorflow_datasets as tfds
from etils import epath

from interhat_tf.input_pipeline.catalog import dataset_names, prepare
from interhat_tf.preprocessing import text_log
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.encoding import (
    NUMBER,
    Categorical,
    Chunk,
    Numerical,
    as_text,
    parse_numbers,
    random_splits,
)
from interhat_tf.preprocessing.text_log import (
    COMPRESSIONS,
    check_values,
    log_pieces,
    parse,
    part_files,
    read_header,
)
from interhat_tf.schema import CATEGORICAL, NUMERICAL

LABEL_NAMES = ("click", "clicked", "label", "target", "y")

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")

SAMPLE_BYTES = 4 << 20
"""How much of a text file is looked at to infer its columns' kinds."""

PIECE_ROWS = 1 << 17
"""Rows of a Parquet file that are read at once, at most."""

READ_BYTES = 1 << 20

WHOLE_NUMBER = r"^\s*[+-]?\d+\s*$"

DATE = r"(\d{4}[-/]\d\d?[-/]\d\d?|\d\d?[-/]\d\d?[-/]\d{4})"
TIME = r"\d\d?:\d\d(:\d\d.*)?"
DATE_OR_TIME = rf"^({DATE}([T ]{TIME})?|{TIME})$"


def prepare_click_log(
    paths,
    *,
    name,
    data_dir="prepared",
    label=None,
    categorical=None,
    numerical=None,
    min_count=1,
    delimiter=None,
    chronological=False,
    **download_config,
):
    """Prepares a click log of your own, or opens it if that has been done.

    A row of the log is an impression and whether it was clicked. The log is

    - CSV, in UTF-8, plain or compressed (`.csv`, `.tsv`, `.txt`; `.gz`, `.zst`).
      The first line of each file names the columns. A value may be in double
      quotes, but cannot hold a line end. Nothing between two delimiters is a
      missing value.
    - Parquet (`.parquet`). A large row group is read `PIECE_ROWS` rows at a
      time, so that memory is bounded, but from its start each time: those of
      more than a million rows take long.

    Ids, numbers' scales and all else that is fitted come from the training rows
    alone; see `Categorical` and `Numerical`. A categorical value is its text in
    the log, so that `007` and `7` are two values.

    Columns are inferred if neither `categorical` nor `numerical` is given: text,
    booleans and whole numbers, which are ids as a rule in click logs, are
    categorical, other numbers are numerical. Of text files, the first 4 MiB
    decide. What came of it is in the set's `schema`.

    The set opens by its name with `input_pipeline.prepared_dataset` from then
    on, the log's files not being needed, and so with
    `python -m experiments.train --dataset=NAME`.

    Args:
        paths: The log's file, a folder of its parts, which are taken in the
            order of their names, or a list of files and folders.
        name: Name of the prepared set: lower-case letters, digits and
            underscores.
        data_dir: Folder of the prepared sets.
        label: The column that says whether there was a click: 0 or 1, or false
            or true. Defaults to `None`: the only column that is called click,
            clicked, label, target or y.
        categorical: Names of the columns that become categorical fields.
        numerical: Names of the columns that become numerical fields. If one of
            the two is given, columns in neither are left out.
        min_count: Categorical values in fewer training rows than this are out
            of vocabulary.
        delimiter: The character between two values of a text file. Defaults to
            `None`: a tab if the file's name ends in `.tsv`, otherwise a comma.
        chronological: Whether the first 80% of the rows train, the next 10%
            validate and the last 10% test. Defaults to `False`: rows are split
            8:1:1 at random.
        **download_config: Further arguments of `tfds.download.DownloadConfig`,
            say `beam_runner` and `beam_options`.

    Returns:
        The `input_pipeline.PreparedDataset`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is not there or its kind cannot be inferred, a
            value is not of its kind, or a set of this name has been prepared
            from another log or with other arguments. For a value, the message
            names the file and the line, or of a Parquet file the row, counted
            from 1.

    Example:

    >>> import pathlib, tempfile
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
    _check_name(name)
    log = _find_log(_as_list(paths), delimiter)
    label = _find_label(log.columns, label)
    if categorical is None and numerical is None:
        kinds = _infer_kinds(log, label)
    else:
        kinds = _named_kinds(log, label, _as_list(categorical or []), _as_list(numerical or []))
    fields = tuple(
        Categorical(column, min_count) if kind == CATEGORICAL else Numerical(column)
        for column, kind in kinds.items()
    )
    builder = _Builder(name, log, label, fields, chronological, data_dir)
    data = prepare(builder, **download_config)
    builder.check_made_from()
    return data


class _Builder(ClickLogBuilder, skip_registration=True):
    """The tfds builder of a log.

    Args:
        name: The set's name.
        log: The `_TextLog` or `_ParquetLog`.
        label: Name of the column of labels.
        fields: The `Categorical` and `Numerical` fields.
        chronological: Whether the split is by time.
        data_dir: Folder of the prepared sets.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, name, log, label, fields, chronological, data_dir):
        self.name = name  # tfds has one for each class
        self.log, self.label, self.chronological = log, label, chronological
        self._fields = fields
        super().__init__(data_dir=data_dir)
        # What tfds makes the builder from where it was sent to a cluster's worker.
        self._original_state = {
            "name": name,
            "log": log,
            "label": label,
            "fields": fields,
            "chronological": chronological,
            "data_dir": data_dir,
        }

    @property
    def fields(self):
        """The fields that were named or inferred."""
        return self._fields

    @functools.cached_property
    def made_from(self):
        """What the prepared set depends on, as its metadata keep it."""
        return {
            "files": [[path, epath.Path(path).stat().length] for path in self.log.paths],
            "label": self.label,
            "fields": [str(field) for field in self.fields],
            "chronological": self.chronological,
        }

    def check_made_from(self):
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

    def _pieces(self, dl_manager):
        if self.chronological:
            self.log.rows  # noqa: B018 - counted here, not by each thread or worker
        return self.log.pieces

    def _chunk(self, piece):
        values = self.log.read(piece, self.label, self.fields)
        labels = _parse_labels(as_text(values[self.label]), piece, self.label)
        if self.chronological:
            ends = self.log.rows * 8 // 10, self.log.rows * 9 // 10
            rows = np.arange(piece.first_row, piece.first_row + piece.rows)
            splits = np.searchsorted(ends, rows, side="right").astype(np.int8)
        else:
            splits = random_splits(piece.first_row, piece.rows)
        values = values.select([field.name for field in self.fields])
        return Chunk(values, labels, splits, piece.path, piece.first_line, piece.first_row)


@dataclasses.dataclass(frozen=True)
class _TextLog:
    """A log of text files.

    Args:
        paths: The files, in order.
        delimiter: The character between two values.
    """

    paths: list
    delimiter: str

    @functools.cached_property
    def columns(self):
        """The columns' names."""
        return read_header(self.paths[0], self.delimiter, quoting=True)

    @functools.cached_property
    def pieces(self):
        """The log's pieces."""
        return log_pieces(self.paths, **self._options)

    @functools.cached_property
    def rows(self):
        """Number of rows."""
        return sum(piece.rows for piece in self.pieces)

    def kind(self, column):
        """Returns a column's kind, or what it is if that can be neither."""
        values = pc.unique(self._sample[column])
        values = values.filter(pc.not_equal(values, ""))
        if not len(values):
            return f"empty in the first {len(self._sample)} rows"
        for pattern, kind in (
            (WHOLE_NUMBER, CATEGORICAL),
            (NUMBER, NUMERICAL),
            (DATE_OR_TIME, "dates or times"),
        ):
            if pc.all(pc.match_substring_regex(values, pattern)).as_py():
                return kind
        return CATEGORICAL

    def read(self, piece, label, fields):
        """Returns the labels, as they are, and the fields' values of a piece, a table."""
        types = dict.fromkeys(self.columns, pa.string())
        types |= {field.name: pa.float64() for field in fields if isinstance(field, Numerical)}
        include = [label, *(field.name for field in fields)]
        return parse(piece, types, delimiter=self.delimiter, include=include, quoting=True)

    @functools.cached_property
    def _sample(self):
        piece = next(text_log.pieces(self.paths[:1], piece_bytes=SAMPLE_BYTES, **self._options))
        types = dict.fromkeys(self.columns, pa.string())
        return parse(piece, types, delimiter=self.delimiter, quoting=True)

    @property
    def _options(self):
        return {"header": self.columns, "delimiter": self.delimiter, "quoting": True}


@dataclasses.dataclass(frozen=True)
class _RowGroupPiece:
    """Rows of a row group of a Parquet file.

    Args:
        path: The file.
        first_line: Number of the first row in the file, from 1.
        first_row: Number of the first row in the whole log, from 0.
        rows: Number of rows.
        group: Number of the row group.
        offset: Number of the first row in the row group, from 0.
    """

    path: str
    first_line: int
    first_row: int
    rows: int
    group: int
    offset: int


@dataclasses.dataclass(frozen=True)
class _ParquetLog:
    """A log of Parquet files.

    Args:
        paths: The files, in order.
    """

    paths: list

    @functools.cached_property
    def columns(self):
        """The columns' names."""
        return self._schema.names

    @functools.cached_property
    def pieces(self):
        """The log's pieces; files without rows, as Spark writes them, have none."""
        found, first_row = [], 0
        for path in self.paths:
            with _open_parquet(path) as file:
                metadata = file.metadata
            first_line = 1
            for group in range(metadata.num_row_groups):
                group_rows = metadata.row_group(group).num_rows
                for offset in range(0, group_rows, PIECE_ROWS):
                    rows = min(PIECE_ROWS, group_rows - offset)
                    found.append(_RowGroupPiece(path, first_line, first_row, rows, group, offset))
                    first_line, first_row = first_line + rows, first_row + rows
        return found

    @functools.cached_property
    def rows(self):
        """Number of rows."""
        return sum(piece.rows for piece in self.pieces)

    def kind(self, column):
        """Returns a column's kind, or what it is if that can be neither."""
        dtype = self._schema.field(column).type
        if pa.types.is_dictionary(dtype):
            dtype = dtype.value_type
        if _is_text(dtype) or pa.types.is_boolean(dtype) or pa.types.is_integer(dtype):
            return CATEGORICAL
        if pa.types.is_floating(dtype) or pa.types.is_decimal(dtype):
            return NUMERICAL
        return f"of type {dtype}"

    def read(self, piece, label, fields):
        """Returns the labels, as they are, and the fields' values of a piece, a table."""
        names = [label, *(field.name for field in fields)]
        with _open_parquet(piece.path) as file:
            schema = file.schema_arrow
        if missing := [name for name in names if name not in schema.names]:
            raise ValueError(f"{piece.path}: the file has no column {missing[0]!r}")
        # Text is spelt out below, but not for the rows that are read only to get behind them.
        text = [name for name in names if _is_text(schema.field(name).type)]
        with _open_parquet(piece.path, read_dictionary=text) as file:
            table = _read_rows(file, piece, names)
        columns = {label: table[label]}
        for field in fields:
            try:
                columns[field.name] = _convert(table[field.name], field, piece)
            except pa.ArrowException as error:
                dtype = schema.field(field.name).type
                kind = type(field).__name__.lower()
                raise ValueError(
                    f"{piece.path}: column {field.name!r} of type {dtype} cannot be {kind} "
                    f"({error}); leave it out or store it as text or numbers"
                ) from error
        return pa.table(columns)

    @functools.cached_property
    def _schema(self):
        with _open_parquet(self.paths[0]) as file:
            return file.schema_arrow


def _convert(column, field, piece):
    if isinstance(field, Categorical):
        return as_text(column)
    numbers, right = parse_numbers(column)
    check_values(right, column, piece, field.name, "expected a number, or null where it is missing")
    return numbers


@contextlib.contextmanager
def _open_parquet(path, **options):
    """Opens a Parquet file; an error of its format names it."""
    with epath.Path(path).open("rb") as file:
        try:
            yield pq.ParquetFile(file, buffer_size=READ_BYTES, **options)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(
                f"{path}: no Parquet file, or cut off or damaged ({error}); get the file again"
            ) from error


def _read_rows(file, piece, names):
    parts, start, end = [], piece.offset, piece.offset + piece.rows
    batches = file.iter_batches(
        PIECE_ROWS, row_groups=[piece.group], columns=names, use_threads=False
    )
    for batch in batches:  # which may be shorter
        if part := batch[max(start, 0) : max(end, 0)]:
            parts.append(part)
        start, end = start - len(batch), end - len(batch)
        if end <= 0:
            break
    return pa.Table.from_batches(parts)


def _parse_labels(column, piece, label):
    text = pc.utf8_lower(column)
    clicks = pc.match_substring_regex(text, r"^(1(\.0*)?|true)$")
    right = pc.or_(clicks, pc.match_substring_regex(text, r"^(0(\.0*)?|false)$"))
    check_values(right, column, piece, label, "a label is 0 or 1, or false or true")
    return np.asarray(clicks).astype(np.uint8)


def _check_name(name):
    # Capitals would be lost in the names that tfds gives to folders.
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise ValueError(
            f"name is {name!r}; a name has lower-case letters, digits and underscores, "
            f"and begins with a letter"
        )
    if name in dataset_names():
        raise ValueError(f"name is {name!r}, which is a public data set's; choose another")


def _find_log(paths, delimiter):
    files = [file for path in paths for file in _files(epath.Path(path).expanduser())]
    if not files:
        raise FileNotFoundError("a click log needs at least one file; none was given")
    suffixes = [_suffix(path) for path in files]
    if set(suffixes) == {".parquet"}:
        return _ParquetLog([str(path) for path in files])
    for path, suffix in zip(files, suffixes, strict=True):
        if suffix not in TEXT_SUFFIXES:
            raise ValueError(
                f"{path}: a log is text files ({', '.join(TEXT_SUFFIXES)}; plain or compressed as "
                f"{' or '.join(COMPRESSIONS)}), or Parquet files (.parquet) alone; rename the file"
            )
    if delimiter is None:
        delimiter = "\t" if suffixes[0] == ".tsv" else ","
    return _TextLog([str(path) for path in files], delimiter)


def _files(path):
    """Returns a file, or the parts in a folder but for hidden ones and Spark's notes."""
    path = path.resolve()
    if path.is_dir():
        parts = part_files(path)
        if not parts:
            raise FileNotFoundError(f"{path} is a folder without files; give a click log")
        return parts
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing; a set prepared earlier opens with "
            f"interhat_tf.input_pipeline.dataset.prepared_dataset"
        )
    return [path]


def _suffix(path):
    return (path.with_suffix("") if path.suffix in COMPRESSIONS else path).suffix


def _find_label(columns, label):
    if label is None:
        found = [column for column in columns if column.lower() in LABEL_NAMES]
        if len(found) != 1:
            raise ValueError(
                f"{' and '.join(found) or 'none'} of the columns {', '.join(columns)} may be the "
                f"label; name it with label=, or the character between columns with delimiter="
            )
        return found[0]
    if label not in columns:
        raise ValueError(f"there is no column {label!r}; there are {', '.join(columns)}")
    return label


def _infer_kinds(log, label):
    """Returns the kind of each column but the label."""
    kinds = {column: log.kind(column) for column in log.columns if column != label}
    problems = [
        f"column {column!r} is {kind}" if column else "a column has no name"
        for column, kind in kinds.items()
        if not column or kind not in (CATEGORICAL, NUMERICAL)
    ]
    if problems:
        raise ValueError(
            f"{log.paths[0]}: {', '.join(problems)}, so that fields cannot be inferred; "
            f"name the columns to use with categorical= and numerical="
        )
    if not kinds:
        raise ValueError(f"{log.paths[0]}: there is no column but the label")
    return kinds


def _named_kinds(log, label, categorical, numerical):
    """Returns the kind of each column that is named."""
    columns = [*categorical, *numerical]
    for column in columns:
        if column not in log.columns:
            raise ValueError(f"there is no column {column!r}; there are {', '.join(log.columns)}")
        if column == label:
            raise ValueError(f"column {column!r} is the label and cannot be a field as well")
        if columns.count(column) > 1:
            raise ValueError(f"column {column!r} is named twice; a field has one kind")
    if not columns:
        raise ValueError("categorical and numerical are both empty; name a column")
    return dict.fromkeys(categorical, CATEGORICAL) | dict.fromkeys(numerical, NUMERICAL)


def _as_list(value):
    return [value] if isinstance(value, str | os.PathLike) else list(value)


def _is_text(dtype):
    return (
        pa.types.is_string(dtype)
        or pa.types.is_large_string(dtype)
        or pa.types.is_string_view(dtype)
    )
