import collections
import gzip
import math
import random

import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.input_pipeline import catalog
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.preprocessing.rows import random_splits

from .criteo_dataset_builder import CATEGORIES, INTEGERS, Builder, CriteoConfig

SPLITS = ("train", "validation", "test")
ROWS = 1_000
LEFT_OUT = {"C3", "C4", "C12", "C16", "C21"}  # by the released code


def log_rows():
    """Rows as dictionaries of text. C1 is different in each; I3 has a long tail."""
    draw = random.Random(0)
    rows = []
    for number in range(ROWS):
        row = {"label": draw.choice("0001")}
        for name in INTEGERS:
            row[name] = draw.choice(["", *(str(value) for value in range(12))])
        row["I2"] = draw.choice(["", "-2", "-1", "0", "1", "2", "3", "40"])
        row["I3"] = str(int(10 ** (6 * draw.random() ** 4)))
        for name in CATEGORIES:
            row[name] = draw.choice(["", *(f"{draw.randrange(40):08x}" for _ in range(3))])
        row["C1"] = f"{number:08x}"
        rows.append(row)
    return rows


def split_of(position):
    return SPLITS[random_splits(position, 1)[0]]


def line(row):
    return "\t".join(row[name] for name in ("label", *INTEGERS, *CATEGORIES))


def text(rows):
    return "".join(line(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def rows():
    return log_rows()


@pytest.fixture(scope="module")
def raw_dir(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("criteo")
    (folder / "train.txt").write_text(text(rows))
    return folder


def prepare(config, raw_dir, data_dir):
    return catalog.prepare(Builder(config=config, data_dir=data_dir), str(raw_dir))


def read(dataset, split):
    """The rows of a split: ids by field name (numbers of numerical fields), and labels."""
    ((inputs, labels),) = dataset.evaluation_batches(split, 10_000).as_numpy_iterator()
    columns = dict(zip(dataset.vocabularies, inputs["categorical"].T, strict=True))
    numerical = [field.name for field in dataset.schema.numerical]
    columns |= dict(zip(numerical, inputs.get("numerical", np.empty((0, 0))).T, strict=False))
    return columns, labels


def vocabularies(values, min_count=1):
    """Ids by value, from each field's training values; sorted as the paper's reader would."""
    ids = {}
    for name, column in values.items():
        counts = collections.Counter(column)
        kept = [value for value, count in counts.items() if count >= min_count]
        kept.sort(key=lambda value: (-counts[value], value.encode()))
        ids[name] = {value: number for number, value in enumerate(kept, start=1)}
    return ids


def expected_columns(rows, split, form, min_count=1, categories=CATEGORIES):
    """What the rows of a split have to become, computed row by row; sorted by row."""
    by_split = {
        name: [row for position, row in enumerate(rows) if split_of(position) == name]
        for name in SPLITS
    }
    train, found = by_split["train"], by_split[split]
    ids = vocabularies({name: [row[name] for row in train] for name in categories}, min_count)
    columns = {name: [ids[name].get(row[name], 0) for row in found] for name in categories}
    for name in INTEGERS:
        seen = [int(row[name]) for row in train if row[name]]
        low, high = min(seen), max(seen)

        def scaled(value, low=low, high=high):
            return min(max((int(value) - low) / (high - low), 0), 1)

        def bucket(value, scaled=scaled):
            return math.floor(scaled(value) * 1000) if value else -1

        def logarithm(value):
            number = int(value or 0)
            return str(math.floor(math.log(number) ** 2) if number > 2 else number)

        if form == "numbers":
            columns[name] = [scaled(row[name]) if row[name] else 0.0 for row in found]
        elif form == "buckets":
            known = sorted({bucket(row[name]) for row in train})
            positions = {number: position for position, number in enumerate(known, start=1)}
            columns[name] = [positions.get(bucket(row[name]), 0) for row in found]
        else:
            values = {name: [logarithm(row[name]) for row in train]}
            known = vocabularies(values, min_count)[name]
            columns[name] = [known.get(logarithm(row[name]), 0) for row in found]
    return columns, [int(row["label"]) for row in found]


def assert_same_rows(columns, labels, expected, expected_labels):
    """Both have the same rows, in any order."""

    def as_rows(columns, labels):
        values = [[f"{value:.6f}" for value in columns[name]] for name in sorted(expected)]
        return collections.Counter(zip(*values, map(int, labels), strict=True))

    assert columns.keys() == expected.keys()
    assert as_rows(columns, labels) == as_rows(expected, expected_labels)


@pytest.mark.parametrize(
    ("config", "form", "share"), [("bucketed", "buckets", 0.3), ("numerical", "numbers", 0.3)]
)
def test_rows_of_the_paper(rows, raw_dir, tmp_path, config, form, share):
    dataset = prepare(config, raw_dir, tmp_path)
    first = rows[: int(share * ROWS)]
    fields = [name for name in (*INTEGERS, *CATEGORIES) if name not in LEFT_OUT]
    assert set(dataset.schema.field_names) == set(fields)
    assert len(fields) == 34
    assert dataset.statistics["records"] == 300
    for split in SPLITS:
        categories = [name for name in CATEGORIES if name not in LEFT_OUT]
        expected = expected_columns(first, split, form, categories=categories)
        assert_same_rows(*read(dataset, split), *expected)


def test_rows_of_all_fields(rows, raw_dir, tmp_path):
    dataset = prepare("all_fields", raw_dir, tmp_path)
    assert dataset.schema.field_names == (*INTEGERS, *CATEGORIES)
    assert dataset.statistics["records"] == ROWS
    for split in SPLITS:
        expected = expected_columns(rows, split, "logarithms", min_count=10)
        assert_same_rows(*read(dataset, split), *expected)
    assert dataset.vocabularies["C1"] == []
    # Negative numbers, 0 (which missing ones are), 1 and 2 stand; 3 is floor(ln(3)^2) = 1.
    assert set(dataset.vocabularies["I2"]) == {"-2", "-1", "0", "1", "2", "13"}


# Values of held-out rows, and what they become where the training rows have 10, 20, … 110, but not
# 60: a number in [0, 1], or the id of one of the buckets 10 to 20, … 100 to 110, 110.
EDGES = {
    "-5": (0.0, 1),
    "9": (0.0, 1),
    "10": (0.0, 1),
    "15": (0.05, 1),
    "60": (0.5, 0),
    "70": (0.6, 6),
    "109": (0.99, 9),
    "110": (1.0, 10),
    "111": (1.0, 10),
    "999999": (1.0, 10),
    "": (0.0, 0),
}


@pytest.mark.parametrize(("integers", "position"), [("numbers", 0), ("buckets", 1)])
def test_values_that_training_rows_do_not_have(tmp_path, integers, position):
    rows, expected = [], {split: [] for split in SPLITS}
    for number in range(300):
        row = dict.fromkeys(INTEGERS, "1") | dict.fromkeys(CATEGORIES, "")
        row |= {"label": str(number % 2), "C1": str(number)}
        if split_of(number) == "train":
            row |= {"I1": training_value(number), "C2": "seen" if number % 3 else ""}
        else:
            row |= {"I1": list(EDGES)[number % len(EDGES)], "C2": "unseen"}
            expected[split_of(number)].append(EDGES[row["I1"]][position])
        rows.append(row)
    (tmp_path / "train.txt").write_text(text(rows))
    config = CriteoConfig(name="edges", columns=("C1", "C2", "I1"), integers=integers, buckets=10)
    dataset = prepare(config, tmp_path, tmp_path / "prepared")
    for split in ("validation", "test"):
        columns, _ = read(dataset, split)
        assert set(columns["C1"]) == set(columns["C2"]) == {0}
        np.testing.assert_allclose(sorted(columns["I1"]), sorted(expected[split]), rtol=1e-6)
    assert len({*expected["validation"], *expected["test"]}) == len(
        {edge[position] for edge in EDGES.values()}
    )
    assert set(dataset.vocabularies["C2"]) == {"seen", ""}
    if integers == "buckets":
        assert dataset.vocabularies["I1"][::9] == ["10 to 20", "110"]


def training_value(number):
    value = 10 + number % 11 * 10
    return str(value if value != 60 else 10)


def test_unknown_form_of_the_integers():
    with pytest.raises(ValueError, match="integers is 'number'; it can be buckets, numbers or"):
        CriteoConfig(name="mine", integers="number")


@pytest.mark.parametrize("layout", ["gz", "zst", "parts", "windows", "path"])
def test_layout_of_the_files_makes_no_difference(rows, raw_dir, tmp_path, layout):
    folder = tmp_path / "raw"
    folder.mkdir()
    content = text(rows).encode()
    if layout == "gz":
        (folder / "train.txt.gz").write_bytes(gzip.compress(content))
    elif layout == "zst":
        (folder / "train.txt.zst").write_bytes(pa.compress(content, "zstd", True))
    elif layout == "parts":
        (folder / "train").mkdir()
        (folder / "train" / "part-1").write_text(text(rows[:123]))
        (folder / "train" / "part-2.gz").write_bytes(gzip.compress(text(rows[123:321]).encode()))
        (folder / "train" / "part-3").write_text(text(rows[321:]))
    elif layout == "windows":
        (folder / "train.txt").write_bytes(content.replace(b"\n", b"\r\n"))
    else:
        (folder / "my log.txt").write_bytes(content)
        folder = folder / "my log.txt"
    one = prepare("bucketed", raw_dir, tmp_path / "one")
    other = prepare("bucketed", folder, tmp_path / "other")
    assert one.vocabularies == other.vocabularies
    for split in SPLITS:
        (columns, labels), (other_columns, other_labels) = read(one, split), read(other, split)
        np.testing.assert_array_equal(labels, other_labels)
        for name, column in columns.items():
            np.testing.assert_array_equal(column, other_columns[name])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"I2": "1.5"}, "I2 is '1.5'; expected a whole number"),
        ({"I2": "x"}, "I2 is 'x'; expected a whole number"),
        ({"label": "2"}, "label is '2'; a label is 0 or 1"),
        ({"label": ""}, "label is ''; a label is 0 or 1"),
        ({"C5": "a\tb"}, "expected 40 values, found 41"),
    ],
)
def test_bad_line(rows, tmp_path, change, problem):
    changed = list(rows)
    changed[150] = rows[150] | change
    path = tmp_path / "train.txt"
    path.write_text(text(changed))
    with pytest.raises(ValueError) as error:
        prepare("bucketed", tmp_path, tmp_path / "prepared")
    assert str(error.value).startswith(f"{path}:151: {problem}")
    assert not list((tmp_path / "prepared").rglob("*.tfrecord*"))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train.txt is missing: get it from https://www"):
        prepared_dataset("criteo", tmp_path / "prepared", tmp_path)


def test_a_prepared_set_is_not_that_of_other_files(rows, raw_dir, tmp_path):
    first = prepared_dataset("criteo", tmp_path, raw_dir)
    assert prepared_dataset("criteo", tmp_path, tmp_path / "none").name == first.name
    assert prepared_dataset("criteo", tmp_path).name == first.name
    log = tmp_path / "train.txt"
    log.write_text(text(rows))
    assert prepared_dataset("criteo", tmp_path, log).name == first.name
    log.write_text(text([{**row, "label": "01"[row["label"] == "0"]} for row in rows]))
    with pytest.raises(ValueError, match=r"was prepared from other files than those in .*train.tx"):
        prepared_dataset("criteo", tmp_path, log)
