"""Your own click log, CSV or Parquet, as a prepared data set."""

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, overload

from interhat_tf.crosses import Cross
from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.catalog import check_arguments, dataset_names, prepare
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.input_pipeline.grown_log import (
    ancestor,
    check_growing,
    new_log,
    plan_new_log,
    warn_of_new_values,
)
from interhat_tf.input_pipeline.own_log_builder import OwnLogBuilder
from interhat_tf.preprocessing.column_forms import NULL_VALUES
from interhat_tf.preprocessing.field_choices import MaxValues, Scalings
from interhat_tf.preprocessing.fields import MAX_VALUES
from interhat_tf.preprocessing.labels import find_label
from interhat_tf.preprocessing.log_formats import Path, find_log
from interhat_tf.preprocessing.log_plan import plan_log
from interhat_tf.preprocessing.plan_report import plan_markdown, warn_of_columns_left_out
from interhat_tf.preprocessing.row_weights import RowWeights
from interhat_tf.preprocessing.splits import parse_split, split_of
from interhat_tf.preprocessing.table_log import is_table
from interhat_tf.utils.limits import check_limits

LogData: TypeAlias = Path | Iterable[Path] | Any
"""A file, a folder, a list of them, or a table."""


_USUAL = {"max_values": MAX_VALUES, "min_count": 1, "null_values": list(NULL_VALUES)}
"""Choices that are as they are unless somebody makes them."""


@overload
def prepare_click_log(
    paths: LogData, *, name: str, dry_run: Literal[True], **options: Any
) -> None: ...


@overload
def prepare_click_log(
    paths: LogData, *, name: str, dry_run: Literal[False] = False, **options: Any
) -> PreparedDataset: ...


def prepare_click_log(
    paths: LogData,
    *,
    name: str,
    data_dir: Path = "prepared",
    label: str | None = None,
    categorical: str | Iterable[str] | None = None,
    numerical: str | Iterable[str] | None = None,
    multivalued: str | Iterable[str] | Mapping[str, str | None] | None = None,
    sequence: str | Iterable[str] | Mapping[str, str | None] | None = None,
    shares: Mapping[str, str] | None = None,
    max_values: MaxValues = MAX_VALUES,
    exclude: str | Iterable[str] = (),
    positive: str | int | bool | None = None,
    null_values: Iterable[str] = NULL_VALUES,
    scaling: Scalings = None,
    weight: str | None = None,
    negative_sampling_rate: float = 1.0,
    min_count: int = 1,
    hash_size: Mapping[str, int] | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    split: str | None = None,
    crosses: Iterable[Cross | Sequence[str]] = (),
    grow: PreparedDataset | None = None,
    drop_after: int | None = None,
    drop_below: int | None = None,
    dry_run: bool = False,
    **download_config: Any,
) -> PreparedDataset | None:
    """Prepares your own click log, or opens it if that has been done.

    A row of the log is an impression and whether it was clicked. The log is

    - CSV (`.csv`, `.tsv`, `.txt`). The first line of each file names the columns.
      A value may be in double quotes, and hold line ends there. Nothing between
      two delimiters is a missing value.
    - JSON lines (`.json`, `.jsonl`, `.ndjson`): a record a line.
    - Parquet (`.parquet`). A large row group is read 131,072 rows at a time, so
      that memory is bounded, but from its start each time: row groups of more
      than a million rows take long.
    - A pandas, polars or Arrow table.

    Files of text and of JSON may be compressed (`.gz`, `.zst`, `.bz2`).

    Ids, the scales of numbers and all else that is fitted come from the training
    rows alone; see `Categorical` and `Numerical`. A categorical value is its text in
    the log, so that `007` and `7` are two values.

    What becomes of a column follows from its values in the first and the last rows
    (of a text file 4 MiB and 1 MiB), if neither `categorical` nor `numerical` is
    given:

    - Text, booleans and whole numbers, which are ids as a rule in click logs,
      become categorical fields; `17.0`, which pandas makes of an id next to empty
      cells, is `17`.
    - Lists of texts or of whole numbers become multivalued fields. Values that stand in one
      text, as `Comedy|Drama`, do if `multivalued` says what is between them; the line of
      their column says so. Lists in the order of time become sequences if `sequence` says so.
    - Other numbers become numerical fields.
    - Dates and times, also seconds or milliseconds since 1970 in a column whose name
      says so, become two categorical fields: `NAME_hour` and `NAME_weekday`.
    - A column that is always the same, or has another value in every row, is left
      out with a warning.

    This is printed on standard error, a line a column, and kept in the set's folder as
    `columns.md` and `columns.json`.

    From then on the set opens by its name, without the log's files: with
    `input_pipeline.prepared_dataset` and with
    `interhat train --dataset=NAME`.

    Args:
        paths: The log's file, a folder of its parts, which are taken in the
            order of their names, or a list of files and folders; or a table.
        name: Name of the prepared set: lower-case letters, digits and
            underscores.
        data_dir: Folder of the prepared sets. Defaults to `"prepared"`.
        label: The column that says whether there was a click. It has two values.
            Defaults to `None`: the only column that is called click, clicked,
            label, target or y.
        positive: The label's value that is a click. Defaults to `None`, where it
            is plain: 1 of 0 and 1, or of -1 and 1; true, yes, click.
        categorical: Names of the columns that become categorical fields.
        numerical: Names of the columns that become numerical fields; of dates, it
            has the days since 1970. If one of the two is given, columns in
            neither are left out.
        multivalued: The columns whose rows have several values, `{"genres": "|"}` with what
            stands between two of them in a text; blanks around a value are left out. Of
            columns of lists, the names alone, or `None` for what stands between. They become
            multivalued fields. A list without a value has the missing one, as an empty
            text has. Defaults to `None`: the columns of lists.
        sequence: So the columns whose rows have several values in the order of time, the
            latest last, as the movies that a user has seen. They become sequences. A list
            without a value has none. Defaults to `None`: there are none.
        shares: For a sequence of another field's values, that field, `{"history": "movie"}`:
            it has the field's ids, and models the field's embeddings. The vocabulary follows
            from the other column alone, so that it is the same without the sequence; values
            that are in the sequence alone are unknown. Defaults to `None`: each has a
            vocabulary of its own.
        max_values: The most values that are kept of a row, of a multivalued field the first
            ones, of a sequence the latest, for all such fields or by the name of the column;
            those of the longest list in training rows if it has fewer. Defaults to 64.
        exclude: Names of columns that are left out. Defaults to none.
        null_values: Words that stand for a missing value, but in columns of text.
            Defaults to `NULL_VALUES`: NA, N/A, null, None, -, ? and such.
        scaling: How numbers are scaled, for all numerical fields or by the name of the
            column, which then becomes a numerical field: `"log"`, `"quantiles"`,
            `"min-max"`, or `"buckets"`, which makes a categorical field of 32 buckets of
            about as many rows each. Defaults to `None`: `"log"` for all. See
            `preprocessing.scaling`.
        weight: The column that says how much a row counts, in training
            (`training.record_weights.RecordWeights`) and in metrics: numbers of at least 0,
            of which only the ratios matter. Defaults to `None`: all rows count the same.
        negative_sampling_rate: The share of the rows without a click that the log holds,
            if the others were left out by chance. Predictions and metrics are then about
            the log as it was: in metrics the rows without a click weigh 1 / share, on top
            of `weight`; in training their share is taken into the logit, see
            `training.record_weights.RecordWeights`. Defaults to 1: all of them.
        min_count: Categorical values in fewer training rows than this are out
            of vocabulary. Defaults to 1: none is.
        hash_size: For fields whose values are without bound, `{"user": 100_000}`: the
            number of names that the values of a column share by a hash of their text,
            the same on any machine, in exports as well. A name has an id if `min_count`
            training rows have it, and a missing value has one of its own. The columns
            become categorical fields. Defaults to `None`: each value has an id.
        delimiter: The character between two values of a text file. Defaults to
            `None`: a tab if the file's name ends in `.tsv`, otherwise a comma.
        encoding: The encoding of text files, say `"latin-1"`. Defaults to `None`:
            UTF-8.
        split: How the rows are split into training, validation and test:

            - `"random"`: 8:1:1 at random. The default, but for a set that grows, which is
              split as the one before it.
            - `"position"`: the first 80% of the rows train, the next 10%
              validate, the last 10% test.
            - `"time:COLUMN"`: so, of the rows in the order of a column of dates,
              times or numbers. Rows of one time are in one split. The column is
              read once more before all else. Numbers that are no times
              since 1970 become no field.
            - `"column:COLUMN"`: a column says `train`, `validation` or `test`
              of each row. It becomes no field.
            - `"group:COLUMN"`: all rows of a value, say of a user, are in one
              split, which follows from a hash of the value. Rows without a value
              train.
        crosses: Crosses of two or three categorical fields, such as
            `[("user", "app")]`; see `PreparedDataset.with_crosses`. Defaults to
            none. They are no part of the prepared files: the set opens with any.
        grow: The prepared set that this log is read like, so that a model that was
            trained on it can be trained on, by `grow_model`. What becomes of columns,
            the label and its values, `min_count`, `hash_size` and all that concerns numbers
            are that set's;
            its values keep their ids, and values that are new in the training rows get ids
            behind them. Files that are in that set already, or in those that it grew from, are
            left out: `paths` may be a folder to which a file is added each day. Defaults to
            `None`.
        drop_after: With `grow`: sets in a row, this one included, whose training
            rows do not have a value, after which it is dropped. The ids of others
            then close up, and `grow_model` follows. Defaults to `None`: never.
        drop_below: With `grow`: training rows, in all sets together, below which a
            value of the earlier set is dropped. Defaults to `None`: none is.
        dry_run: Whether only to print what would become of the columns, on
            standard output. Defaults to `False`.
        **download_config: Further arguments of `tfds.download.DownloadConfig`,
            say `beam_runner` and `beam_options`.

    Returns:
        The `input_pipeline.PreparedDataset`; nothing after a dry run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is not there or cannot be read, a value is not of
            its kind, a set of this name has been prepared from another log or
            with other arguments, a cross is wrong, a file that the set to grow from has
            read was changed, or none is new. For a value, the message
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
    >>> inputs = data.encode({"app": ["mail", "news"], "price": [2.5, None]})
    >>> inputs["categorical"].tolist(), data.decode(inputs).tolist()
    ([[1], [0]], [['mail', '2.5'], ['(other)', '(missing)']])
    """
    check_arguments(download_config, prepare_click_log)
    _check_name(name)
    _check_counts(min_count, max_values)
    log = find_log(paths, delimiter, encoding)
    _check_runner(paths, download_config)
    weights = _row_weights(weight, negative_sampling_rate)
    way = parse_split(split or "random")
    choices: dict[str, Any] = {
        "positive": positive,
        "categorical": None if categorical is None else _as_list(categorical),
        "numerical": None if numerical is None else _as_list(numerical),
        "multivalued": _separators(multivalued),
        "sequence": _separators(sequence),
        "shares": shares,
        "max_values": max_values,
        "exclude": _as_list(exclude),
        "scaling": scaling,
        "hash_size": hash_size,
        "min_count": min_count,
        "null_values": _as_list(null_values),
    }
    if grow is not None:
        changed = {name: value for name, value in choices.items() if value != _USUAL.get(name)}
        of_rows = {"weight": weight, "negative_sampling_rate": negative_sampling_rate != 1}
        check_growing(grow, {"label": label, **of_rows, **changed})
        log = new_log(log, grow, delimiter, encoding)
        if not split:
            way = parse_split(split_of(grow.metadata["made_from"]))
        plan = plan_new_log(log, grow, way)
    elif drop_after is not None or drop_below is not None:
        raise SettingError("drop_after and drop_below need grow=, the set whose values are dropped")
    else:
        # The label before values that a wrong delimiter may damage.
        column = find_label(log.columns, label)
        sample, where = log.sample(), log.paths[0]
        plan = plan_log(sample, where, column, weights=weights, split=way, **choices)
    if dry_run:
        print(plan_markdown(plan))
        return None
    parent = None if grow is None else ancestor(grow, drop_after, drop_below)
    builder = OwnLogBuilder(name, log, plan, data_dir, parent)
    is_new = not builder.data_path.exists()
    if is_new:
        print(plan_markdown(plan), file=sys.stderr)
        warn_of_columns_left_out(plan, growing=parent is not None)
    data = prepare(builder, **download_config)
    builder.check_origin()
    if is_new and parent and data.growth:
        warn_of_new_values(data, data.growth)
    return data.with_crosses(crosses)


def _check_counts(min_count, max_values):
    given = {"min_count": min_count}
    if not isinstance(max_values, Mapping):  # of which each is checked with its field
        given["max_values"] = max_values
    check_limits(given, dict.fromkeys(given, int))


def _check_runner(paths, download_config):
    if is_table(paths) and {"beam_runner", "beam_options"} & set(download_config):
        raise SettingError(
            "a table is prepared on this machine; store it as Parquet files for Beam"
        )


def _separators(columns):
    if isinstance(columns, Mapping):
        return columns
    return dict.fromkeys(_as_list(columns or ()))


def _row_weights(weight, negative_sampling_rate):
    if weight is None and negative_sampling_rate == 1:
        return None
    return RowWeights(weight, negative_sampling_rate)


def _check_name(name):
    # Capitals would be lost in the names that tfds gives to folders.
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise SettingError(
            f"name is {name!r}; a name has lower-case letters, digits and underscores, "
            f"and begins with a letter"
        )
    if name in dataset_names():
        raise SettingError(f"name is {name!r}, which is a public data set's; choose another")


def _as_list(value: Path | Iterable[Path]) -> list[Any]:
    return [value] if isinstance(value, str | os.PathLike) else list(value)
