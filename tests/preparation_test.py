"""Tests of the preparation, on a builder whose log is made up in memory."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_datasets as tfds

from interhat_tf import preparation
from interhat_tf.input_pipeline import PreparedDataset
from interhat_tf.preparation import (
    Categorical,
    Chunk,
    ClickLogBuilder,
    Counts,
    Encoding,
    Numerical,
    count_chunk,
    encode_chunk,
)
from interhat_tf.schema import Field

FIELDS = [Categorical("app"), Categorical("city", min_count=2), Numerical("price")]
TRAIN, VALIDATION, TEST = 0, 1, 2


def chunk(apps, cities, prices, labels, splits, first_line=1):
    return Chunk(
        pa.table(
            {
                "app": pa.array(apps, pa.string()),
                "city": pa.array(cities, pa.string()),
                "price": pa.array(prices, pa.float64(), from_pandas=False),
            }
        ),
        np.array(labels, np.uint8),
        np.array(splits, np.int8),
        "log.csv",
        first_line,
    )


def example_chunk():
    return chunk(
        apps=["b", "a", "c", "c", "d", None],
        cities=["x", "x", "y", "x", "y", "y"],
        prices=[10.0, 20.0, None, 30.0, 50.0, -5.0],
        labels=[1, 0, 1, 0, 1, 1],
        splits=[TRAIN, TRAIN, TRAIN, TRAIN, VALIDATION, TEST],
    )


class LogBuilder(ClickLogBuilder, skip_registration=True):
    """A log of 30,000 rows whose numerical field is the row's number."""

    VERSION = tfds.core.Version("1.0.0")
    rows = 30_000
    fails_at = None

    @property
    def fields(self):
        return FIELDS

    def _chunks(self, dl_manager):
        random = np.random.default_rng(0)
        for start in range(0, self.rows, 7_000):
            if self.fails_at is not None and start >= self.fails_at:
                raise ValueError("log.csv:7: broken")
            rows = np.arange(start, min(start + 7_000, self.rows))
            yield chunk(
                [f"app{value}" for value in random.integers(50, size=len(rows))],
                [f"city{value}" for value in random.integers(20, size=len(rows))],
                rows.astype(np.float64),
                rows % 3 == 0,
                np.where(rows % 10 < 8, TRAIN, rows % 10 - 7),
                first_line=start + 1,
            )


def read(builder, split):
    batches = PreparedDataset(builder).evaluation_batches(split, 4096)
    inputs, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return (
        np.concatenate([part["categorical"] for part in inputs]),
        np.concatenate([part["numerical"] for part in inputs]),
        np.concatenate(labels),
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    builder = LogBuilder(data_dir=tmp_path_factory.mktemp("prepared"))
    builder.download_and_prepare()
    return builder


def test_ids_by_frequency_then_value_of_training_rows():
    encoding = Encoding.fit(count_chunk(example_chunk(), FIELDS), FIELDS)
    assert encoding.vocabularies["app"].to_pylist() == ["c", "a", "b"]
    # y is in one training row only, and the other splits' rows do not count.
    assert encoding.vocabularies["city"].to_pylist() == ["x"]
    assert encoding.schema().fields == (
        Field("app", "categorical", 4),
        Field("city", "categorical", 2),
        Field("price", "numerical"),
    )


def test_encoded_rows():
    rows = encode_chunk(example_chunk(), Encoding.fit(count_chunk(example_chunk(), FIELDS), FIELDS))
    np.testing.assert_array_equal(
        rows["categorical"], [[3, 1], [2, 1], [1, 0], [1, 1], [0, 0], [0, 0]]
    )
    # Minimum 10 and maximum 30 in training; missing is 0; 50 and -5 are clipped.
    np.testing.assert_array_equal(rows["numerical"], [[0], [0.5], [0], [1], [1], [0]])
    np.testing.assert_array_equal(rows["label"], [1, 0, 1, 0, 1, 1])


def test_missing_category_is_a_value():
    rows = chunk([None, "", "a"], ["x"] * 3, [1.0] * 3, [0] * 3, [TRAIN] * 3)
    encoding = Encoding.fit(count_chunk(rows, FIELDS), FIELDS)
    assert encoding.vocabularies["app"].to_pylist() == ["", "a"]
    np.testing.assert_array_equal(encode_chunk(rows, encoding)["categorical"][:, 0], [1, 1, 2])


def test_constant_numerical_field_is_zero():
    rows = chunk(["a"] * 2, ["x"] * 2, [7.0, 7.0], [0] * 2, [TRAIN] * 2)
    encoded = encode_chunk(rows, Encoding.fit(count_chunk(rows, FIELDS), FIELDS))
    np.testing.assert_array_equal(encoded["numerical"], [[0], [0]])


def test_statistics_count_all_rows():
    assert count_chunk(example_chunk(), FIELDS).statistics() == {
        "categorical_fields": 2,
        "numerical_fields": 1,
        "records": 6,
        "distinct_features": 5 + 2 + 1,  # apps, the missing one among them; cities; price
        "splits": {
            "train": {"rows": 4, "positives": 2},
            "validation": {"rows": 1, "positives": 1},
            "test": {"rows": 1, "positives": 1},
        },
    }


def test_counts_do_not_depend_on_the_chunks():
    def cut(start, stop):
        whole = example_chunk()
        return Chunk(
            whole.values.slice(start, stop - start),
            whole.labels[start:stop],
            whole.splits[start:stop],
            "log.csv",
        )

    whole = count_chunk(example_chunk(), FIELDS)
    parts = Counts.__iadd__(count_chunk(cut(0, 1), FIELDS), count_chunk(cut(1, 4), FIELDS))
    parts += count_chunk(cut(4, 6), FIELDS)
    assert parts.statistics() == whole.statistics()
    assert parts.ranges == whole.ranges
    for field in FIELDS[:2]:
        assert parts.vocabulary(field).equals(whole.vocabulary(field))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("split", [TRAIN, TEST])
def test_number_that_is_not_finite(number, split):
    rows = chunk(["a"] * 3, ["x"] * 3, [1.0, number, 2.0], [0] * 3, [split] * 3, first_line=40)
    with pytest.raises(ValueError, match=rf"^log.csv:41: price is {number}; a number must be"):
        count_chunk(rows, FIELDS)


def test_prepared_rows_are_the_log(prepared):
    dataset = PreparedDataset(prepared)
    log = pa.concat_tables(part.values for part in prepared._chunks(None)).to_pydict()
    lows = {"train": 0, "validation": 8, "test": 9}
    seen = 0
    for split, first_digit in lows.items():
        categorical, numerical, labels = read(prepared, split)
        assert len(labels) == dataset.num_rows(split)
        # The price is the row's number, which identifies the row.
        rows = np.rint(numerical[:, 0] * 29_997).astype(int)
        if split != "train":
            # 29,998 and 29,999 are above the training rows' maximum and were clipped.
            keep = rows != 29_997
            categorical, labels, rows = categorical[keep], labels[keep], rows[keep]
            assert set(rows % 10) == {first_digit}
        seen += len(np.unique(rows))
        for position, field in enumerate(["app", "city"]):
            values = np.array(["", *dataset.vocabularies[field]])
            np.testing.assert_array_equal(
                values[categorical[:, position]], np.array(log[field])[rows]
            )
        np.testing.assert_array_equal(labels, rows % 3 == 0)
    assert seen == 30_000 - 2


def test_rows_are_shuffled_and_the_seed_fixes_how(prepared, tmp_path):
    numbers = read(prepared, "train")[1][:, 0]
    assert abs(np.corrcoef(numbers, np.arange(len(numbers)))[0, 1]) < 0.05
    again = LogBuilder(data_dir=tmp_path)
    again.download_and_prepare()
    for one, other in zip(read(prepared, "train"), read(again, "train"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_shuffle_with_several_buckets(monkeypatch, tmp_path):
    monkeypatch.setattr(preparation, "BLOCK_ROWS", 16)
    monkeypatch.setattr(preparation, "BUCKET_ROWS", 64)
    builder = LogBuilder(data_dir=tmp_path)
    builder.rows = 1_000
    builder.download_and_prepare()
    for split, rows in (("train", 800), ("validation", 100), ("test", 100)):
        assert builder.info.splits[split].num_examples == -(-rows // 16)
    numbers = np.sort(np.rint(read(builder, "train")[1][:, 0] * 997))
    np.testing.assert_array_equal(numbers, [row for row in range(1_000) if row % 10 < 8])
    assert not list(builder.data_path.glob("*.tmp"))


def test_log_without_a_split(tmp_path):
    builder = LogBuilder(data_dir=tmp_path)
    builder.rows = 8
    with pytest.raises(ValueError, match=r"^log_builder/1.0.0: the validation split has no rows$"):
        builder.download_and_prepare()


def test_failed_preparation_leaves_nothing_that_loads(tmp_path):
    builder = LogBuilder(data_dir=tmp_path)
    builder.fails_at = 14_000
    with pytest.raises(ValueError, match=r"^log.csv:7: broken$"):
        builder.download_and_prepare()
    assert not LogBuilder(data_dir=tmp_path).is_prepared()
    assert not list((tmp_path / "log_builder").glob("*"))
    builder = LogBuilder(data_dir=tmp_path)
    builder.download_and_prepare()
    assert len(read(builder, "train")[2]) == 24_000


@pytest.mark.slow
def test_killed_preparation_leaves_nothing_that_loads(tmp_path):
    program = textwrap.dedent(
        f"""
        import os, signal
        from tests.preparation_test import LogBuilder

        class KilledBuilder(LogBuilder, skip_registration=True):
            name = "log_builder"

            def _generate_examples(self, shuffle):
                for number, example in super()._generate_examples(shuffle):
                    yield number, example
                    if number == 1:
                        os.kill(os.getpid(), signal.SIGKILL)

        KilledBuilder(data_dir={str(tmp_path)!r}).download_and_prepare()
        """
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()
    assert not LogBuilder(data_dir=tmp_path).is_prepared()
    builder = LogBuilder(data_dir=tmp_path)
    builder.download_and_prepare()
    assert len(read(builder, "train")[2]) == 24_000
