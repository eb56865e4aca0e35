"""Tests of the order of the prepared rows, against plain Python."""

import collections

import numpy as np
import pytest

from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing.fields import Categorical, Numerical, QuantileBuckets
from tests.preprocessing.logs import (
    SPLITS,
    TRAIN,
    Chunk,
    ListsLogBuilder,
    LogBuilder,
    MixedLogBuilder,
    file_bytes,
    read,
)


def expected(builder):
    """Returns each split's categorical and numerical columns and labels, by plain Python.

    The rows of a split are sorted by random bits, however many files they are in.
    """
    log = builder._read_chunk(Chunk(0, builder.rows))
    train = np.flatnonzero(log.splits == TRAIN)
    order = np.argsort(np.random.PCG64(1).random_raw(builder.rows))
    categorical, numerical = [], []
    for field in builder.fields:
        values = log.values[field.name].to_pylist()
        if isinstance(field, Categorical):
            values = ["" if value is None else value for value in values]
            counts = collections.Counter(values[row] for row in train)
            names = sorted(counts, key=lambda name, counts=counts: (-counts[name], name.encode()))
            names = [name for name in names if counts[name] >= field.min_count]
            ids = {name: id for id, name in enumerate(names, start=1)}
            categorical.append([ids.get(value, 0) for value in values])
            continue
        known = [values[row] for row in train if values[row] is not None]
        low, high = min(known), max(known)
        scaled = [
            None if value is None else min(max((value - low) / (high - low), 0), 1)
            for value in values
        ]
        if isinstance(field, Numerical):
            numerical.append([value or 0 for value in scaled])
        else:
            buckets = [-1 if value is None else int(value * field.buckets) for value in scaled]
            seen = sorted({buckets[row] for row in train})
            ids = {bucket: id for id, bucket in enumerate(seen, start=1)}
            categorical.append([ids.get(bucket, 0) for bucket in buckets])
    columns = np.transpose(categorical), np.transpose(numerical).astype(np.float32), log.labels
    rows = {split: order[log.splits[order] == number] for number, split in enumerate(SPLITS)}
    return {split: [column[rows[split]] for column in columns] for split in SPLITS}


def test_rows_are_shuffled(prepared):
    for split in SPLITS:
        numbers = read(prepared, split)[1][:, 0]
        bound = 5 / np.sqrt(len(numbers))
        assert abs(np.corrcoef(numbers, np.arange(len(numbers)))[0, 1]) < bound
        assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < bound


@pytest.mark.parametrize("builder_class", [LogBuilder, MixedLogBuilder])
def test_rows_and_their_order_against_plain_python(tmp_path, small_partitions, builder_class):
    class Builder(builder_class, skip_registration=True):
        rows = 3_000

        @property
        def fields(self):
            return [
                Numerical(field.name) if isinstance(field, Numerical) else field
                for field in super().fields
                if not isinstance(field, QuantileBuckets)
            ]

    builder = Builder(data_dir=tmp_path)
    builder.download_and_prepare()
    for split, columns in expected(builder).items():
        for ours, column in zip(read(builder, split), columns, strict=True):
            np.testing.assert_array_equal(ours, column)
    # As many files as 256 rows on average need, of blocks of 64 rows.
    for split, files in {"train": 10, "validation": 2, "test": 2}.items():
        assert builder.info.splits[split].num_shards == files
        assert builder.info.splits[split].num_examples >= -(
            -PreparedDataset(builder).num_rows(split) // 64
        )


def test_files_do_not_depend_on_the_chunks(tmp_path, small_partitions):
    contents = []
    for chunk_rows in (3_000, 700, 123):
        builder = ListsLogBuilder(data_dir=tmp_path / str(chunk_rows))
        builder.chunk_rows = chunk_rows
        builder.download_and_prepare()
        contents.append(file_bytes(builder))
    assert len(contents[0]) == 10 + 2 + 2 + 1
    assert contents[0] == contents[1] == contents[2]
