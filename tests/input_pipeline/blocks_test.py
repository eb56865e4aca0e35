"""Tests of the row blocks of a prepared set."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from interhat_tf.input_pipeline.block_checks import check_blocks
from interhat_tf.input_pipeline.blocks import (
    _padded,
    decode_blocks,
    find_blocks,
    find_records,
    read_record,
)
from interhat_tf.schema import Field, Schema


def test_found_blocks_hold_the_rows_in_order(several_files, small_windows):
    files = find_blocks(several_files.files("train"), several_files.schema)
    assert [blocks[0].path for blocks in files] == several_files.files("train")
    records = tf.data.TFRecordDataset(several_files.files("train"))
    stored = list(decode_blocks(records, several_files.schema).as_numpy_iterator())
    blocks = [block for file in files for block in file]
    assert [block.rows for block in blocks] == [len(rows["label"]) for rows in stored]
    for block, rows in zip(blocks, stored, strict=True):
        record = tf.data.Dataset.from_tensors((block.path, block.offset)).flat_map(read_record)
        (found,) = decode_blocks(record, several_files.schema).as_numpy_iterator()
        for name, column in rows.items():
            np.testing.assert_array_equal(found[name], column)


def test_a_kind_without_fields_is_left_out(several_files):
    schema = Schema(several_files.schema.categorical)
    records = tf.data.TFRecordDataset(several_files.files("test"))
    assert set(decode_blocks(records, schema).element_spec) == {"categorical", "label"}


def test_lists_are_padded_to_the_length_of_their_own_field():
    schema = Schema([Field(f"f{n}", "multivalued", 9, max_length=n) for n in (3, 1)])
    found = _padded(tf.constant([1, 2, 3, 4, 5]), tf.constant([[3, 1], [0, 1]]), schema)
    assert found.numpy().tolist() == [[1, 2, 3, 4], [-1, -1, -1, 5]]


@pytest.mark.parametrize(
    ("weights", "rows", "message"),
    [
        ([1, -1], 2, "log: weight, row 1: -1.0 is negative or not finite"),
        ([1, 1], 3, "log: 2 rows found, 3 expected"),
    ],
)
def test_wrong_weights_and_missing_rows_are_refused(weights, rows, message):
    block = {"categorical": np.array([[1], [2]]), "label": np.array([0, 1])}
    block["weight"] = np.array(weights, "float32")
    with pytest.raises(ValueError, match=message):
        check_blocks([block], Schema([Field("app", "categorical", 3)]), rows, "log")


@pytest.mark.parametrize("cut", [3, 12, -1])
def test_a_file_that_is_cut_off_is_named(several_files, tmp_path, cut):
    (path, *_) = several_files.files("test")
    damaged = tmp_path / "damaged"
    damaged.write_bytes(pathlib.Path(path).read_bytes()[:cut])
    with pytest.raises(ValueError, match=f"^{damaged}: the file is cut off or damaged; prepare"):
        list(find_records(str(damaged)))
