"""Batches of training rows in a random order that follows from a seed and the epoch's number.

Blocks come in random order, and rows are permuted within a window of some blocks.
The blocks can be distributed to shards, one for each worker or device; each batch
is then made of equal parts, one of each shard.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.blocks import (
    PARALLEL_CALLS,
    Block,
    as_batch,
    decode_blocks,
    pipeline_options,
    read_record,
)
from interhat_tf.input_pipeline.unknown_values import UnknownValues
from interhat_tf.preprocessing.shuffle import BLOCK_ROWS
from interhat_tf.schema import Schema

WINDOW_ROWS = 16 * BLOCK_ROWS
"""Rows that are permuted together; some three times as many are in memory."""


class Shard(NamedTuple):
    """The blocks whose rows make up one part of each batch.

    Args:
        number: The shard's number, from 0.
        blocks: The blocks, in the order in which they are stored.
    """

    number: int
    blocks: list[Block]

    @property
    def rows(self) -> int:
        """Number of its rows."""
        return sum(block.rows for block in self.blocks)


def distribute_blocks(
    files: Sequence[Sequence[Block]], shards: int, *, where: str = ""
) -> list[Shard]:
    """Distributes whole files to shards, or blocks, if there are fewer files than shards.

    Args:
        files: The blocks of each file.
        shards: Number of shards.
        where: Text put before the message, say a data set's name.

    Raises:
        ValueError: If the shards are more than the blocks.

    Example:

    >>> files = [[Block("a", 0, 9)], [Block("b", 0, 9), Block("b", 99, 4)], [Block("c", 0, 7)]]
    >>> [shard.rows for shard in distribute_blocks(files, 2)]
    [16, 13]
    """
    blocks = [block for file in files for block in file]
    if len(blocks) < shards:
        raise SettingError(
            f"{where}{': ' if where else ''}{len(blocks)} blocks of rows are too few for "
            f"{shards} shards; use fewer devices"
        )
    units = files if len(files) >= shards else [[block] for block in blocks]
    return [
        Shard(number, [block for unit in units[number::shards] for block in unit])
        for number in range(shards)
    ]


def num_batches(shards: Sequence[Shard], batch_size: int) -> int:
    """Returns the number of batches of an epoch: those that the largest shard fills."""
    part_rows = batch_size // len(shards)
    return max(-(-shard.rows // part_rows) for shard in shards)


# AutoGraph's conversion of the map functions takes time and changes nothing.
@tf.autograph.experimental.do_not_convert
def shuffled_batches(
    shards: Sequence[Shard],
    schema: Schema,
    batch_size: int,
    seed: int,
    *,
    first_epoch: int = 0,
    skip_batches: int = 0,
    of_shards: Sequence[int] | None = None,
    weighted: bool = False,
    unknown: UnknownValues | None = None,
) -> tf.data.Dataset:
    """Returns the rows of shards in a random order, one epoch after the other, without end.

    Args:
        shards: All shards.
        schema: The set's schema.
        batch_size: Rows of a batch.
        seed: Seed of the order.
        first_epoch: Number of the first epoch. Defaults to 0.
        skip_batches: Number of batches of the first epoch to leave out.
            Defaults to 0.
        of_shards: Numbers of the shards whose parts of the batches are
            returned. Defaults to all.
        weighted: Whether batches have the rows' weights. Defaults to `False`.
        unknown: What takes values for unknown, but in the first `WINDOW_ROWS` rows of
            the first epoch. Defaults to `None`: nothing does.

    Raises:
        ValueError: If the shards do not divide the batch.
    """
    if batch_size % len(shards):
        raise SettingError(
            f"a batch of {batch_size} rows cannot be cut into {len(shards)} equal parts"
        )
    part_rows = batch_size // len(shards)
    steps = num_batches(shards, batch_size)

    def epoch_parts(shard: Shard, epoch: tf.Tensor) -> tf.data.Dataset:
        epoch_seed = tf.stack([tf.constant(seed, tf.int64), epoch])
        if len(shards) > 1:
            epoch_seed = tf.random.experimental.stateless_fold_in(epoch_seed, shard.number)
        decode = functools.partial(
            decode_blocks, schema=schema, weighted=weighted, folds=schema.click_counts
        )
        return _epoch_parts(shard, decode, part_rows, steps, epoch, epoch_seed, unknown)

    epochs = tf.data.Dataset.range(first_epoch, tf.int64.max)
    chosen = shards if of_shards is None else [shards[number] for number in of_shards]
    parts = [epochs.flat_map(functools.partial(epoch_parts, shard)) for shard in chosen]
    batches = parts[0] if len(parts) == 1 else tf.data.Dataset.zip(*parts).map(_joined)
    return batches.skip(skip_batches).prefetch(8).with_options(pipeline_options())


def _epoch_parts(
    shard: Shard,
    decode: Callable[[tf.data.Dataset], tf.data.Dataset],
    part_rows: int,
    steps: int,
    epoch: tf.Tensor,
    seed: tf.Tensor,
    unknown: UnknownValues | None,
) -> tf.data.Dataset:
    """Returns a shard's part of each batch of an epoch."""
    paths, offsets, _ = zip(*shard.blocks, strict=True)
    order = _permute(tf.range(len(paths)), seed)  # (blocks,)
    positions = (
        tf.gather(tf.constant(paths), order),  # (blocks,)
        tf.gather(tf.constant(offsets, tf.int64), order),  # (blocks,)
    )
    records = tf.data.Dataset.from_tensor_slices(positions).flat_map(read_record)
    blocks = decode(records)
    # A whole number of parts, so that only an epoch's last one is short.
    windows = blocks.rebatch(part_rows * max(1, WINDOW_ROWS // part_rows)).prefetch(1)

    def parts_of(window: tf.Tensor, rows: Mapping[str, tf.Tensor]) -> tf.data.Dataset:
        # Id 0 is frequent: were it trained from the start, while other values are small, it
        # would settle where no other value is, and stay there.
        started = unknown and unknown.only_if((epoch > 0) | (window > 0))
        of_window = tf.random.experimental.stateless_fold_in(seed, window)
        return _window_parts(rows, part_rows, of_window, started)

    parts = windows.enumerate().flat_map(parts_of)
    if missing := steps - -(-shard.rows // part_rows):
        # A shard that is through has no rows in the batches that others still fill.
        nothing = {
            name: tf.zeros([0, *spec.shape[1:]], spec.dtype)
            for name, spec in blocks.element_spec.items()
        }
        nothing = tf.data.Dataset.from_tensors(as_batch(nothing))
        parts = parts.concatenate(nothing.repeat(missing))
    return parts


def _window_parts(
    rows: Mapping[str, tf.Tensor],
    part_rows: int,
    seed: tf.Tensor,
    unknown: UnknownValues | None,
) -> tf.data.Dataset:
    """Returns the rows of a window in random order, `part_rows` at a time."""
    count = tf.shape(rows["label"], tf.int64)[0]
    order = _permute(tf.range(count), seed)  # (rows,)

    def part(start: tf.Tensor) -> Any:
        chosen = order[start : start + part_rows]
        inputs, *others = as_batch(
            tf.nest.map_structure(lambda column: tf.gather(column, chosen), rows)
        )
        if unknown is not None:
            of_part = tf.random.experimental.stateless_fold_in(seed, start)
            inputs = unknown.replace(inputs, of_part)
        return inputs, *others

    starts = tf.data.Dataset.range(0, count, part_rows)
    return starts.map(part, num_parallel_calls=PARALLEL_CALLS)


def _joined(*parts):
    return tf.nest.map_structure(lambda *columns: tf.concat(columns, axis=0), *parts)


def _permute(values, seed):
    return tf.random.experimental.stateless_shuffle(values, seed, alg="philox")
