"""Frappe: which app a user opened in which context; a row is an app and whether it was used."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow_datasets as tfds

from interhat_tf.preparation import SPLITS, Categorical, Chunk, ClickLogBuilder
from interhat_tf.raw_files import binary_labels, check_values, manual_file, read_delimited

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
        tfds.core.BuilderConfig(name="nfm", description="The NFM files, with their own splits."),
        tfds.core.BuilderConfig(
            name="usage_log", description="The raw log, with negatives and splits of our own."
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    nfm: frappe.train.libfm, frappe.validation.libfm and frappe.test.libfm from
    {NFM_SOURCE}; optionally index_map.csv (index,field,value) for readable values.
    usage_log: frappe.csv or frappe.csv.gz, {LOG_SOURCE}.
    """

    @property
    def fields(self):
        """The ten fields of both configurations."""
        return [Categorical(name) for name in FIELDS]

    def _chunks(self, dl_manager):
        if self.builder_config.name == "nfm":
            return _nfm_chunks(dl_manager)
        return _usage_log_chunks(dl_manager)


def _nfm_chunks(dl_manager):
    """Yields the rows of the NFM files, `label index:1 … index:1`, a column a field."""
    paths = [manual_file(dl_manager, [f"frappe.{split}.libfm"], NFM_SOURCE) for split in SPLITS]
    index_map = paths[0].parent / "index_map.csv"
    owners, names = _read_index_map(index_map) if index_map.exists() else ({}, None)
    for split, path in enumerate(paths):
        for line, piece in read_delimited(path, ["label", *FIELDS], delimiter=" "):
            labels = binary_labels(piece["label"], path, line)
            values = {}
            for field in FIELDS:
                indices = _parse_indices(piece[field], path, line, field)
                _check_owners(indices, owners, names is not None, path, line, field)
                values[field] = indices if names is None else _rename(indices, names)
            splits = np.full(len(labels), split, np.int8)
            yield Chunk(pa.table(values), labels, splits, str(path), line)


def _read_index_map(path):
    """Reads which field each index belongs to, and the value it stands for."""
    owners, names = {}, {}
    columns = ["index", "field", "value"]
    for line, piece in read_delimited(path, columns, delimiter=",", header=True):
        check_values(
            pc.is_in(piece["field"], pa.array(FIELDS)),
            piece["field"],
            path,
            line,
            "field",
            f"the fields are {', '.join(FIELDS)}",
        )
        rows = zip(*(piece[column].to_pylist() for column in columns), strict=True)
        for number, (index, field, value) in enumerate(rows, start=line):
            if index in owners:
                raise ValueError(f"{path}:{number}: index {index} is listed twice; keep one line")
            owners[index], names[index] = field, value
    return owners, names


def _parse_indices(column, path, line, field):
    """Returns the indices, as text, of a column of `index:1`."""
    right = pc.match_substring_regex(column, r"^(0|[1-9][0-9]*):1$")
    check_values(right, column, path, line, field, "expected INDEX:1 with a whole number INDEX")
    return pc.utf8_slice_codeunits(column, 0, -2)


def _check_owners(indices, owners, complete, path, line, field):
    """Checks that an index is used in one column only; notes new ones unless all are known."""
    for index in pc.unique(indices).to_pylist():
        owner = owners.get(index) if complete else owners.setdefault(index, field)
        if owner != field:
            number = line + pc.index(indices, index).as_py()
            problem = (
                f"belongs to {owner}; an index has one field, check the order of the columns"
                if owner
                else "is not in index_map.csv; use the map that belongs to the file, or remove it"
            )
            raise ValueError(f"{path}:{number}: {field} is index {index}, which {problem}")


def _rename(indices, names):
    encoded = indices.combine_chunks().dictionary_encode()
    values = pa.array([names[index] for index in encoded.dictionary.to_pylist()])
    return values.take(encoded.indices)


def _usage_log_chunks(dl_manager):
    """Yields each row of the log followed by its two negatives.

    The whole log, some 100,000 rows, is held in memory. It is sorted first, so
    that negatives and splits do not depend on the order of the file.
    """
    path = manual_file(dl_manager, ["frappe.csv", "frappe.csv.gz"], LOG_SOURCE)
    pieces = read_delimited(path, LOG_COLUMNS, delimiter="\t", header=True)
    log = pa.concat_tables(piece for _, piece in pieces)
    log = log.sort_by([(column, "ascending") for column in LOG_COLUMNS]).select(FIELDS)

    users_column = log["user"].combine_chunks().dictionary_encode()
    items_column = log["item"].combine_chunks().dictionary_encode()
    # An app's cost is the same in all its rows: it goes with the app, not with the context.
    first_rows = np.unique(np.asarray(items_column.indices), return_index=True)[1]
    costs = log["cost"].take(first_rows)

    random = np.random.Generator(np.random.PCG64(SEED))
    users, apps = np.asarray(users_column.indices), np.asarray(items_column.indices)
    negatives = _draw_negatives(users, apps, users_column.dictionary, path, random)  # (rows, 2)
    apps = np.column_stack([apps, negatives]).ravel()  # (rows * 3,)

    rows = log.take(np.repeat(np.arange(len(log)), 3))
    rows = rows.set_column(FIELDS.index("item"), "item", items_column.dictionary.take(apps))
    rows = rows.set_column(FIELDS.index("cost"), "cost", costs.take(apps))
    labels = np.tile(np.array([1, 0, 0], np.uint8), len(log))
    rank = random.permutation(len(log)) / len(log)
    splits = np.searchsorted([0.8, 0.9], rank, side="right").astype(np.int8)
    yield Chunk(rows, labels, np.repeat(splits, 3), str(path))


def _draw_negatives(users, items, user_names, path, random):
    """Draws two different apps for each row, uniformly from those its user has no row with."""
    negatives = np.empty((len(users), 2), np.int64)
    for user in range(len(user_names)):
        rows = np.flatnonzero(users == user)
        unused = np.setdiff1d(np.arange(items.max() + 1), items[rows])
        if len(unused) < 2:
            raise ValueError(
                f"{path}: user {user_names[user]} has used all but {len(unused)} of the apps; "
                f"two unused ones are needed as negatives, remove the user's rows"
            )
        first = random.integers(len(unused), size=len(rows))
        second = random.integers(len(unused) - 1, size=len(rows))
        second += second >= first
        negatives[rows] = unused[np.column_stack([first, second])]
    return negatives
