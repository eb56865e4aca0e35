"""The row blocks of a prepared set: found in its TFRecord files, read, and made into batches."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from interhat_tf.click_counts import folds_of
from interhat_tf.errors import DamagedFileError
from interhat_tf.preprocessing.shuffle import BLOCK_ROWS, LENGTHS
from interhat_tf.schema import CATEGORICAL, FOLD, KINDS, MULTIVALUED, NUMERICAL, PADDING, Schema

PARALLEL_CALLS = 2

READ_BYTES = 256 << 10


class Block(NamedTuple):
    """Where a block of rows lies.

    Args:
        path: The file.
        offset: Position of its first byte in the file.
        rows: Number of its rows.
    """

    path: str
    offset: int
    rows: int


def find_blocks(paths: Sequence[str], schema: Schema) -> list[list[Block]]:
    """Finds the blocks of files by the lengths of their records, without reading the records.

    Args:
        paths: TFRecord files of a prepared set.
        schema: The set's schema.

    Returns:
        A list of blocks for each file that has any.
    """
    files = []
    for path in paths:
        blocks = [Block(path, offset, BLOCK_ROWS) for offset, _, _ in find_records(path)]
        if blocks:
            # All but a file's last block are full.
            record = tf.data.Dataset.from_tensors(blocks[-1][:2]).flat_map(read_record)
            (last,) = decode_blocks(record, schema)
            blocks[-1] = blocks[-1]._replace(rows=len(last["label"]))
            files.append(blocks)
    return files


def find_records(path: str) -> Iterator[tuple[int, int, bytes]]:
    """Finds the records of a TFRecord file, without reading what they hold.

    Args:
        path: The file.

    Yields:
        Of each record the position of its first byte, its data's length and checksum.

    Raises:
        ValueError: If the file is cut off or no TFRecord file. The message names it.
    """
    offset, end = 0, tf.io.gfile.stat(path).length
    with tf.io.gfile.GFile(path, "rb") as file:
        while offset < end:
            file.seek(offset)
            # A TFRecord is the length, its checksum, the data, their checksum.
            length = int.from_bytes(file.read(8), "little")
            checksum = offset + 8 + 4 + length
            if checksum + 4 > end:
                raise DamagedFileError(
                    f"{path}: the file is cut off or damaged; prepare the set again"
                )
            file.seek(checksum)
            yield offset, length, file.read(4)
            offset = checksum + 4


def read_record(path: tf.Tensor, offset: tf.Tensor) -> tf.data.Dataset:
    """Returns a data set of the one record that starts at an offset of a file.

    `tf.data.TFRecordDataset` can do this, but does not offer it.
    """
    records = tf.raw_ops.TFRecordDatasetV2(
        filenames=[path], compression_type="", buffer_size=READ_BYTES, byte_offsets=[offset]
    )
    return tf.data.experimental.from_variant(records, tf.TensorSpec((), tf.string)).take(1)


def decode_blocks(
    records: tf.data.Dataset, schema: Schema, weighted: bool = False, folds: bool = False
) -> tf.data.Dataset:
    """Decodes records, one block of rows each.

    Args:
        records: The serialized records.
        schema: The set's schema.
        weighted: Whether the rows' weights are read, if they have any. Defaults to
            `False`.
        folds: Whether rows have their folds, for click counts. Defaults to `False`.

    Returns:
        A data set of dictionaries: `categorical` (rows, C) int32, `numerical`
        (rows, N) float32, `multivalued` (rows, L) int32, `label` (rows,) uint8, with
        weights `weight` (rows,) float32, and `fold` (rows,) int32. A kind without fields
        is left out.
    """
    columns = {
        CATEGORICAL: (tf.int32, (-1, len(schema.categorical))),
        NUMERICAL: (tf.float32, (-1, len(schema.numerical))),
        **({MULTIVALUED: (tf.int32, (-1,))} if schema.multivalued else {}),
        LENGTHS: (tf.int32, (-1, len(schema.multivalued))),
        "label": (tf.uint8, (-1,)),
        **({"weight": (tf.float32, (-1,))} if weighted else {}),
    }
    columns = {name: column for name, column in columns.items() if column[1] != (-1, 0)}

    def decode(record: tf.Tensor) -> dict[str, tf.Tensor]:
        features = dict.fromkeys(columns, tf.io.FixedLenFeature((), tf.string))
        texts = tf.io.parse_single_example(record, features)
        block = {
            name: tf.reshape(tf.io.decode_raw(texts[name], dtype), shape)  # (rows, fields)
            for name, (dtype, shape) in columns.items()
        }
        if folds:
            block[FOLD] = tf.constant(folds_of(BLOCK_ROWS))[: tf.size(block["label"])]
        if schema.multivalued:
            block[MULTIVALUED] = _padded(block[MULTIVALUED], block.pop(LENGTHS), schema)
        return block

    return records.map(decode, num_parallel_calls=PARALLEL_CALLS)


def _padded(values: tf.Tensor, lengths: tf.Tensor, schema: Schema) -> tf.Tensor:
    """Returns the fields of several values, (rows, L), of all values and their numbers.

    Args:
        values: All values, (n,), row by row and in a row field by field.
        lengths: The number of values of each row's fields, (rows, V).
        schema: The set's schema.
    """
    widths = [field.max_length for field in schema.multivalued]
    lists = tf.RaggedTensor.from_row_lengths(values, tf.reshape(lengths, [-1]))
    shape = (None, max(widths))
    padded = lists.to_tensor(PADDING, shape=shape)  # (rows * V, longest)
    if len(set(widths)) == 1:
        return tf.reshape(padded, (-1, sum(widths)))  # (rows, L)
    padded = tf.reshape(padded, (-1, len(widths), max(widths)))  # (rows, V, longest)
    of_fields = [padded[:, place, :width] for place, width in enumerate(widths)]
    return tf.concat(of_fields, axis=1)  # (rows, L)


def as_batch(rows: Mapping[str, tf.Tensor]) -> tuple[Any, ...]:
    """Returns rows as a batch: the inputs, the labels as float32, and the weights, if any."""
    inputs = {kind: rows[kind] for kind in (*KINDS, FOLD) if kind in rows}
    labels = tf.cast(rows["label"], tf.float32)
    return (inputs, labels, rows["weight"]) if "weight" in rows else (inputs, labels)


def pipeline_options() -> tf.data.Options:
    """Returns the options of all data sets of batches."""
    options = tf.data.Options()
    # At an iteration's end the autotuner may sleep on, for longer the longer it
    # ran, so that epochs end late, at 0.6, 1.3, 2.6, 5.1, 10.2 … seconds.
    options.autotune.enabled = False
    options.deterministic = True
    return options
