"""A prepared data set as batches for training and evaluation."""

import functools
import struct

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from interhat_tf.preprocessing.builder import BLOCK_ROWS
from interhat_tf.preprocessing.encoding import (
    Categorical,
    Encoding,
    as_text,
    encode_values,
    parse_numbers,
)
from interhat_tf.schema import CATEGORICAL, NUMERICAL, Schema

WINDOW_BLOCKS = 16
"""Blocks whose rows are permuted together for training; some three times as many are in memory."""

PARALLEL_CALLS = 2

READ_BYTES = 256 << 10


class PreparedDataset:
    """A prepared data set: what its records are, and their batches.

    A batch is a pair of the inputs, a dictionary of `categorical` (B, C) int32
    and `numerical` (B, N) float32 in which a kind without fields is left out,
    and the labels, (B,) float32.

    Args:
        builder: The tfds builder of a prepared set that a `ClickLogBuilder` wrote.

    Attributes:
        name: The set's name, configuration and version.
        schema: The `Schema` of the inputs.
        vocabularies: For each categorical field, the raw values of ids 1, 2, …;
            of a `Bucketed` field, the ranges of numbers.
        statistics: The figures of the paper's Table 1, and each split's size.
    """

    def __init__(self, builder):
        metadata = builder.info.metadata
        self.name = builder.info.full_name
        self.schema = Schema.from_dict(metadata["schema"])
        self.vocabularies = metadata["encoding"]["vocabularies"]
        self.statistics = metadata["statistics"]
        self._info = builder.info

    @functools.cached_property
    def encoding(self):
        """The `Encoding` that raw values were turned into ids and numbers with."""
        return Encoding.from_dict(self._info.metadata["encoding"])

    def encode(self, records):
        """Turns raw records into a model's inputs, as they were when the set was prepared.

        Args:
            records: A `pyarrow.Table`, or a dictionary of lists, with a column
                for each raw field; `None` where a value is missing. A number
                may be text, and a categorical value a number that is written
                as in the log.

        Returns:
            The inputs, a dictionary of `categorical` (B, C) int32 and
            `numerical` (B, N) float32; a kind without fields is left out.

        Raises:
            ValueError: If a field is missing, or a value is not of its kind.
                The message names the field.
        """
        given = records.column_names if isinstance(records, pa.Table) else list(records)
        missing = {field.name for field in self.encoding.fields} - set(given)
        if missing:
            raise ValueError(f"the records have no {', '.join(sorted(missing))}")
        values = {field.name: _raw_column(records, field) for field in self.encoding.fields}
        columns = encode_values(pa.table(values), self.encoding)
        return {kind: np.ascontiguousarray(values.T) for kind, values in columns.items()}

    def decode(self, inputs):
        """Returns the readable values of a model's inputs, the inverse of `encode`.

        Args:
            inputs: Dictionary of `categorical`, (B, C), and `numerical`, (B, N).

        Returns:
            (B, m) texts in the order of `schema.field_names`: a categorical
            field's raw value, `(other)` for one out of vocabulary and
            `(missing)` for the empty text; a number in the log's own units,
            clipped to the training rows' range.
        """
        columns = []
        for field, ids in zip(
            self.schema.categorical, np.asarray(inputs.get(CATEGORICAL, ())).T, strict=True
        ):
            names = ["(other)", *(name or "(missing)" for name in self.vocabularies[field.name])]
            columns.append(np.array(names, object)[ids])
        for field, numbers in zip(
            self.schema.numerical, np.asarray(inputs.get(NUMERICAL, ())).T, strict=True
        ):
            low, high = self.encoding.ranges[field.name]
            columns.append([f"{low + float(v) * (high - low):.6g}" for v in numbers])
        return np.array(columns, object).T  # (B, m)

    def num_rows(self, split):
        """Returns the number of rows of a split."""
        return self.statistics["splits"][split]["rows"]

    def id_of(self, field, value):
        """Returns the id of a raw value of a categorical field.

        Raises:
            ValueError: If there is no such field, or its vocabulary does not
                hold the value.
        """
        if field not in self.vocabularies:
            raise ValueError(
                f"{self.name} has no categorical field {field!r}; "
                f"it has {', '.join(self.vocabularies)}"
            )
        if value not in self.vocabularies[field]:
            raise ValueError(f"field {field!r} of {self.name} never is {value!r} in training")
        return self.vocabularies[field].index(value) + 1

    def files(self, split):
        """Returns the paths of a split's files."""
        if split not in self._info.splits:
            raise ValueError(
                f"{self.name} has no split {split!r}; it has {', '.join(self._info.splits)}"
            )
        return [str(path) for path in self._info.splits[split].filepaths]

    def training_batches(
        self, batch_size, seed, first_epoch=0, skip_batches=0, shards=1, of_shards=None
    ):
        """Returns the training rows in a random order, one epoch after the other, without end.

        The order of an epoch follows from `seed` and the epoch's number alone,
        so that an interrupted training goes on with the very batches it would
        have seen. An epoch has every row once and ends with batches of the rows
        left over; see `num_batches`. Blocks come in random order, and rows are
        permuted within a window of `WINDOW_BLOCKS` blocks; which rows share a
        block was drawn at random when the set was prepared.

        Several workers read a share each: the set's files are dealt out to so
        many shards, or its blocks, if it has fewer files than that, and every
        batch is made of equal parts, one of each shard. One that reads them all
        sees the same batches as several that share them.

        Args:
            batch_size: Rows of a batch.
            seed: Seed of the order.
            first_epoch: Number of the first epoch, counted from 0.
            skip_batches: Number of batches of the first epoch to leave out.
            shards: Number of shards. Defaults to 1.
            of_shards: Numbers of the shards whose parts of the batches are
                returned. Defaults to all.

        Returns:
            A `tf.data.Dataset` of batches.

        Raises:
            ValueError: If the shards are more than the blocks, or do not divide
                the batch.
        """
        if batch_size % shards:
            raise ValueError(
                f"a batch of {batch_size} rows cannot be cut into {shards} equal parts"
            )
        steps = self.num_batches(batch_size, shards)
        part_rows = batch_size // shards
        window_rows = part_rows * max(1, WINDOW_BLOCKS * BLOCK_ROWS // part_rows)

        def epoch_batches(shard, epoch):
            files, offsets, rows = self._shard(shard, shards)
            epoch_seed = tf.stack([tf.constant(seed, tf.int64), epoch])
            if shards > 1:
                epoch_seed = tf.random.experimental.stateless_fold_in(epoch_seed, shard)
            order = _permute(tf.range(len(files)), epoch_seed)  # (blocks,)
            positions = tf.gather(files, order), tf.gather(offsets, order)
            records = tf.data.Dataset.from_tensor_slices(positions).flat_map(_read_record)
            blocks = self._decode(records)
            # A whole number of batches, so that only an epoch's last one is short.
            windows = blocks.rebatch(window_rows).prefetch(1)
            batches = windows.enumerate().flat_map(
                lambda window, rows: window_batches(
                    rows, tf.random.experimental.stateless_fold_in(epoch_seed, window)
                )
            )
            if missing := steps - -(-rows // part_rows):
                # A shard that is through has no rows in the batches that others still fill.
                nothing = {
                    name: tf.zeros([0, *spec.shape[1:]], spec.dtype)
                    for name, spec in blocks.element_spec.items()
                }
                nothing = tf.data.Dataset.from_tensors(_inputs_and_labels(nothing))
                batches = batches.concatenate(nothing.repeat(missing))
            return batches

        def window_batches(rows, window_seed):
            count = tf.shape(rows["label"], tf.int64)[0]
            order = _permute(tf.range(count), window_seed)  # (rows,)
            return tf.data.Dataset.range(0, count, part_rows).map(
                lambda start: _inputs_and_labels(
                    tf.nest.map_structure(
                        lambda column: tf.gather(column, order[start : start + part_rows]), rows
                    )
                ),
                num_parallel_calls=PARALLEL_CALLS,
            )

        epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
        parts = [
            epochs.flat_map(functools.partial(epoch_batches, shard))
            for shard in (range(shards) if of_shards is None else of_shards)
        ]
        batches = parts[0] if len(parts) == 1 else tf.data.Dataset.zip(*parts).map(_joined)
        return batches.skip(skip_batches).prefetch(8).with_options(_options())

    def num_batches(self, batch_size, shards=1):
        """Returns the number of batches of an epoch of `training_batches`."""
        rows = max(self._shard(shard, shards)[2] for shard in range(shards))
        return -(-rows // (batch_size // shards))

    def evaluation_batches(self, split, batch_size):
        """Returns the rows of a split once, in the order in which they are stored.

        Args:
            split: `"train"`, `"validation"` or `"test"`.
            batch_size: Rows of a batch; the last one may have fewer.

        Returns:
            A `tf.data.Dataset` of batches.
        """
        batches = self._blocks(split).rebatch(batch_size).map(_inputs_and_labels)
        return batches.prefetch(8).with_options(_options())

    def check(self, split):
        """Reads a split once and raises an error if a row does not follow the schema.

        Args:
            split: `"train"`, `"validation"` or `"test"`.

        Raises:
            ValueError: If an id is outside its field's vocabulary, a number is
                not finite, a label is neither 0 nor 1, or rows are missing. The
                message names the data set, the split, the field and the row.
        """
        where, row = f"{self.name}, {split}", 0
        for block in self._blocks(split).with_options(_options()).as_numpy_iterator():
            self.schema.check(block, where=where, first_row=row)
            wrong = block["label"] > 1
            if wrong.any():
                position = int(wrong.argmax())
                raise ValueError(
                    f"{where}: label, row {row + position}: {block['label'][position]} "
                    f"is neither 0 nor 1"
                )
            row += len(wrong)
        if row != self.num_rows(split):
            raise ValueError(
                f"{where}: {row} rows found, {self.num_rows(split)} expected; prepare the set again"
            )

    def _shard(self, shard, shards):
        """Returns files and byte offsets of the training blocks of a shard, and its rows."""
        files = self._training_blocks
        blocks = [block for file in files for block in file]
        if len(blocks) < shards:
            raise ValueError(
                f"{self.name}, train: {len(blocks)} blocks of rows are too few for "
                f"{shards} shards; use fewer devices"
            )
        dealt = files if len(files) >= shards else [[block] for block in blocks]
        blocks = [block for unit in dealt[shard::shards] for block in unit]
        files, offsets, rows = zip(*blocks, strict=True)
        return tf.constant(files), tf.constant(offsets, tf.int64), sum(rows)

    @functools.cached_property
    def _training_blocks(self):
        """File, byte offset and rows of each training block, a list for each file."""
        files = []
        for path in self.files("train"):
            blocks = []
            offset, end = 0, tf.io.gfile.stat(path).length
            with tf.io.gfile.GFile(path, "rb") as file:
                while offset < end:
                    file.seek(offset)
                    (length,) = struct.unpack("<Q", file.read(8))
                    blocks.append((path, offset, BLOCK_ROWS))
                    # A TFRecord is the length, its checksum, the data, their checksum.
                    offset += 8 + 4 + length + 4
            if blocks:
                # All but a file's last block are full.
                path, offset, _ = blocks.pop()
                record = tf.data.Dataset.from_tensors((path, offset)).flat_map(_read_record)
                (last,) = self._decode(record)
                files.append([*blocks, (path, offset, len(last["label"]))])
        return files

    def _blocks(self, split):
        return self._decode(tf.data.TFRecordDataset(self.files(split)))

    def _decode(self, records):
        columns = {
            CATEGORICAL: (tf.int32, (-1, len(self.schema.categorical))),
            NUMERICAL: (tf.float32, (-1, len(self.schema.numerical))),
            "label": (tf.uint8, (-1,)),
        }
        columns = {name: column for name, column in columns.items() if column[1] != (-1, 0)}

        def decode(record):
            features = dict.fromkeys(columns, tf.io.FixedLenFeature((), tf.string))
            texts = tf.io.parse_single_example(record, features)
            return {
                name: tf.reshape(tf.io.decode_raw(texts[name], dtype), shape)  # (rows, fields)
                for name, (dtype, shape) in columns.items()
            }

        return records.map(decode, num_parallel_calls=PARALLEL_CALLS)


def _read_record(file, offset):
    """Returns a data set of the one record that starts at an offset of a file.

    `tf.data.TFRecordDataset` can do this, but does not offer it.
    """
    records = tf.raw_ops.TFRecordDatasetV2(
        filenames=[file], compression_type="", buffer_size=READ_BYTES, byte_offsets=[offset]
    )
    return tf.data.experimental.from_variant(records, tf.TensorSpec((), tf.string)).take(1)


def _raw_column(records, field):
    """Returns a field's raw values as `encode_values` takes them: text, or finite numbers."""
    values = records[field.name]
    try:
        if isinstance(values, str):
            raise TypeError("a text is no list")
        column = values if isinstance(records, pa.Table) else pa.array(values)
        if isinstance(field, Categorical):
            return as_text(column)
        numbers, right = parse_numbers(column)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ValueError(
            f"field {field.name!r}: the values are not a list of texts or of numbers ({error})"
        ) from error
    finite = right & np.asarray(pc.fill_null(pc.is_finite(numbers), True))
    if not finite.all():
        row = int(finite.argmin())
        value = column[row].as_py()
        problem = (
            f"the number is {value}; it must be finite"
            if right[row]
            else f"{value!r} is no number; a missing one is None"
        )
        raise ValueError(f"field {field.name!r}, row {row}: {problem}")
    return numbers


def _inputs_and_labels(rows):
    inputs = {kind: rows[kind] for kind in (CATEGORICAL, NUMERICAL) if kind in rows}
    return inputs, tf.cast(rows["label"], tf.float32)


def _joined(*batches):
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *batches)


def _permute(values, seed):
    return tf.random.experimental.stateless_shuffle(values, seed, alg="philox")


def _options():
    options = tf.data.Options()
    # At an iteration's end the autotuner may sleep on, for longer the longer it
    # ran, so that epochs end late, at 0.6, 1.3, 2.6, 5.1, 10.2 … seconds.
    options.autotune.enabled = False
    options.deterministic = True
    return options
