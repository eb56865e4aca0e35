"""Frappe: which app a user opened in which context; a row is an app and whether it was used."""

import dataclasses
import os
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow_datasets as tfds

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.checks import binary_labels, check_values
from interhat_tf.preprocessing.fields import Categorical
from interhat_tf.preprocessing.log_files import check_file, log_files, manual_folder
from interhat_tf.preprocessing.rows import SPLITS, Rows
from interhat_tf.preprocessing.text_chunks import TextChunk, log_chunks, text_chunks
from interhat_tf.preprocessing.text_parsing import parse

FIELDS = (
    "user",
    "item",
    "daytime",
    "weekday",
    "isweekend",
    "homework",
    "cost",
    "weather",
    "country",
    "city",
)
LOG_COLUMNS = ("user", "item", "cnt", *FIELDS[2:])

NFM_SOURCE = "github.com/hexiangnan/neural_factorization_machine, folder data/frappe"
LOG_SOURCE = "the Frappe data set of Baltrunas et al., arXiv:1505.03014"

SEED = 0


class Builder(ClickLogBuilder):
    """Builds Frappe from the split NFM files or from the raw usage log."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The NFM files and the usage log."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="nfm", description="The NFM files, with the files' splits."),
        tfds.core.BuilderConfig(
            name="usage_log", description="The raw log, with negatives and splits drawn here."
        ),
        tfds.core.BuilderConfig(
            name="unseen_pairs", description="The raw log; a pair of user and app is in one split."
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    nfm: frappe.train.libfm, frappe.validation.libfm and frappe.test.libfm from
    {NFM_SOURCE}; optionally index_map.csv (index,field,value) for readable values.
    usage_log, unseen_pairs: frappe.csv, plain or compressed (.gz, .zst), from {LOG_SOURCE}.
    """

    @property
    def fields(self) -> list[Categorical]:
        """The ten fields of all configurations."""
        return [Categorical(name) for name in FIELDS]

    def _files(self, folder):
        if self.builder_config.name != "nfm":
            return log_files(folder, ["frappe.csv"], LOG_SOURCE)
        return [*_nfm_files(folder), *filter(None, [_index_map(folder)])]

    def _chunks(self, dl_manager):
        folder = manual_folder(dl_manager)
        config = self.builder_config.name
        if config == "nfm":
            return _nfm_chunks(_nfm_files(folder), _index_map(folder))
        return _usage_log(self._files(folder), DRAWS[config])

    def _read_chunk(self, chunk: "NfmChunk | UsageLog") -> Rows:
        return chunk.read()


@dataclasses.dataclass(frozen=True)
class NfmChunk:
    """A chunk of an NFM file, whose lines are `label index:1 … index:1`, a column a field.

    Args:
        lines: The `TextChunk`.
        split: The file's split as its position in `SPLITS`.
        index_map: File of the values that the indices stand for, `None` if
            they stand for themselves.
    """

    lines: TextChunk
    split: int
    index_map: str | None

    @property
    def rows(self) -> int:
        """Number of the chunk's rows."""
        return self.lines.rows

    def read(self) -> Rows:
        """Returns the chunk's `Rows`."""
        labels, values = _read_nfm(self.lines)
        if self.index_map:
            owners, names = _read_index_map(self.index_map)
            for field, indices in values.items():
                _check_owners(indices, owners, True, self.lines, field)
                values[field] = _rename(indices, names)
        splits = np.full(self.rows, self.split, np.int8)
        lines = self.lines
        return Rows(pa.table(values), labels, splits, lines.path, lines.first_line, lines.first_row)


def _nfm_files(folder):
    """Returns the NFM files and the split of each."""
    return {
        path: split
        for split, name in enumerate(SPLITS)
        for path in log_files(_in_folder(folder), [f"frappe.{name}.libfm"], NFM_SOURCE)
    }


def _index_map(folder):
    """Returns the file of the map, if there is one."""
    path = _in_folder(folder) / "index_map.csv"
    if not path.exists() and not os.path.islink(path):
        return None
    check_file(path)
    return str(path)


def _in_folder(folder):
    return folder.parent if folder.is_file() else folder


def _nfm_chunks(splits, index_map):
    """Returns the chunks of the NFM files.

    Without a map, an index belongs to the column in which it is first seen.
    That is checked here, where all chunks are at hand.
    """
    found = [NfmChunk(lines, splits[lines.path], index_map) for lines in log_chunks(list(splits))]
    if index_map is None:
        owners = {}
        for chunk in found:
            for field, indices in _read_nfm(chunk.lines)[1].items():
                _check_owners(indices, owners, False, chunk.lines, field)
    return found


def _read_nfm(lines):
    """Returns the labels and, for each field, the indices as text."""
    columns = dict.fromkeys(["label", *FIELDS], pa.string())
    table = parse(lines, columns, delimiter=" ")
    labels = binary_labels(table["label"], lines)
    return labels, {field: _parse_indices(table[field], lines, field) for field in FIELDS}


def _read_index_map(path):
    """Reads which field each index belongs to, and the value it stands for."""
    owners, names = {}, {}
    columns = dict.fromkeys(["index", "field", "value"], pa.string())
    for chunk in text_chunks([path], header=columns, delimiter=","):
        table = parse(chunk, columns, delimiter=",")
        known = pc.is_in(table["field"], pa.array(FIELDS))
        check_values(known, table["field"], chunk, "field", f"the fields are {', '.join(FIELDS)}")
        rows = zip(*(table[column].to_pylist() for column in columns), strict=True)
        for number, (index, field, value) in enumerate(rows, start=chunk.first_line):
            if index in owners:
                raise DataError(f"{path}:{number}: index {index} is listed twice; keep one line")
            owners[index], names[index] = field, value
    return owners, names


def _parse_indices(column, lines, field):
    """Returns the indices, as text, of a column of `index:1`."""
    right = pc.match_substring_regex(column, r"^(0|[1-9][0-9]*):1$")
    check_values(right, column, lines, field, "expected INDEX:1 with a whole number INDEX")
    return pc.utf8_slice_codeunits(column, 0, -2)


def _check_owners(indices, owners, complete, lines, field):
    """Checks that an index is used in one column only; notes new ones unless all are known."""
    for index in pc.unique(indices).to_pylist():
        owner = owners.get(index) if complete else owners.setdefault(index, field)
        if owner != field:
            number = lines.first_line + pc.index(indices, index).as_py()
            problem = (
                f"belongs to {owner}; an index has one field, check the order of the columns"
                if owner
                else "is not in index_map.csv; use the map that belongs to the file, or remove it"
            )
            raise DataError(f"{lines.path}:{number}: {field} is index {index}, which {problem}")


def _rename(indices, names):
    encoded = indices.combine_chunks().dictionary_encode()
    values = pa.array([names[index] for index in encoded.dictionary.to_pylist()])
    return values.take(encoded.indices)


@dataclasses.dataclass(frozen=True)
class UsageLog:
    """The usage log, some 100,000 rows, as a single chunk.

    Each of its rows is followed by its two negatives, in its split. It is sorted
    first, so that negatives and splits do not depend on the order of the file.

    Args:
        path: The log's file, for messages.
        chunks: The `TextChunk`s of the log.
        rows: Number of rows with the negatives.
        draw: Draws each row's negatives and split, one of `DRAWS`.
    """

    path: str
    chunks: tuple[TextChunk, ...]
    rows: int
    draw: "Draw"

    def read(self) -> Rows:
        """Returns the log's rows and their negatives as `Rows`."""
        columns = dict.fromkeys(LOG_COLUMNS, pa.string())
        log = pa.concat_tables(parse(chunk, columns, delimiter="\t") for chunk in self.chunks)
        log = log.sort_by([(column, "ascending") for column in LOG_COLUMNS]).select(FIELDS)

        users_column = log["user"].combine_chunks().dictionary_encode()
        items_column = log["item"].combine_chunks().dictionary_encode()
        # An app's cost is the same in all its rows: it goes with the app, not with the context.
        first_rows = np.unique(np.asarray(items_column.indices), return_index=True)[1]
        costs = log["cost"].take(first_rows)

        random = np.random.Generator(np.random.PCG64(SEED))
        users, apps = np.asarray(users_column.indices), np.asarray(items_column.indices)
        negatives, splits = self.draw(
            users, apps, users_column.dictionary, self.path, random
        )  # (rows, 2), (rows,)
        apps = np.column_stack([apps, negatives]).ravel()  # (rows * 3,)

        rows = log.take(np.repeat(np.arange(len(log)), 3))
        rows = rows.set_column(FIELDS.index("item"), "item", items_column.dictionary.take(apps))
        rows = rows.set_column(FIELDS.index("cost"), "cost", costs.take(apps))
        labels = np.tile(np.array([1, 0, 0], np.uint8), len(log))
        return Rows(rows, labels, np.repeat(splits, 3), self.path)


def _usage_log(paths, draw):
    found = tuple(log_chunks(paths, header=LOG_COLUMNS, delimiter="\t"))
    return [UsageLog(paths[0], found, 3 * sum(chunk.rows for chunk in found), draw)]


def _draw_uniformly(users, items, user_names, path, random):
    """Draws two different apps for each row, uniformly from those its user has no row with.

    The split of each row is drawn by itself.
    """
    negatives = np.empty((len(users), 2), np.int64)
    for user in range(len(user_names)):
        rows = np.flatnonzero(users == user)
        unused = np.setdiff1d(np.arange(items.max() + 1), items[rows])
        _check_unused(unused, user_names[user], path)
        first = random.integers(len(unused), size=len(rows))
        second = random.integers(len(unused) - 1, size=len(rows))
        second += second >= first
        negatives[rows] = unused[np.column_stack([first, second])]
    rank = random.permutation(len(users)) / len(users)
    return negatives, _split(rank)


def _draw_from_the_split(users, items, user_names, path, random):
    """Draws two different apps for each row from the pairs of its user that lie in its split.

    All pairs of a user and an app are distributed to the splits, used or not,
    and rows follow their pair. An unused app is drawn in proportion to the
    number of its users, so that how common it is tells little of the label.
    """
    used = np.zeros((len(user_names), items.max() + 1), bool)  # (users, apps)
    used[users, items] = True
    popularity = used.sum(axis=0)  # (apps,)
    split_of = _split(random.random(used.shape))  # (users, apps)
    splits = split_of[users, items]  # (rows,)
    negatives = np.empty((len(users), 2), np.int64)
    for user, split in np.unique(np.column_stack([users, splits]), axis=0):
        rows = np.flatnonzero((users == user) & (splits == split))
        unused = np.flatnonzero(~used[user] & (split_of[user] == split))
        _check_unused(unused, user_names[user], path, f" that lie in {SPLITS[split]}")
        edges = np.cumsum(popularity[unused])
        edges = edges / edges[-1]

        def draw(count, unused=unused, edges=edges):
            return unused[np.searchsorted(edges, random.random(count), side="right")]

        pairs = np.column_stack([draw(len(rows)), draw(len(rows))])
        while (same := pairs[:, 0] == pairs[:, 1]).any():
            pairs[same, 1] = draw(int(same.sum()))
        negatives[rows] = pairs
    return negatives, splits


Draw = Callable[..., tuple[np.ndarray, np.ndarray]]
DRAWS: dict[str, Draw] = {"usage_log": _draw_uniformly, "unseen_pairs": _draw_from_the_split}


def _split(rank):
    """Returns the splits, 8:1:1, of numbers between 0 and 1."""
    return np.searchsorted([0.8, 0.9], rank, side="right").astype(np.int8)


def _check_unused(unused, user, path, which=""):
    if len(unused) < 2:
        raise DataError(
            f"{path}: user {user} has used all but {len(unused)} of the apps{which}; "
            f"two unused ones are needed as negatives, remove the user's rows"
        )
