"""Tables of values and of the training rows that have them: merged, split, written and read.

A table has the columns `value`, text, and `train`, a number of rows.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from etils import epath

from interhat_tf.utils.files import naming_errors

HASH_ROWS = 1 << 16


def merge_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """Adds up tables of `value` and `train`.

    Example:

    >>> one, other = ({"value": ["a", value], "train": [1, 2]} for value in "bc")
    >>> merge_tables([pa.table(one), pa.table(other)]).sort_by("value").to_pydict()
    {'value': ['a', 'b', 'c'], 'train': [2, 2, 2]}
    """
    if len(tables) == 1:
        return tables[0]
    # Each thread would have a table of its own, and chunks are read by threads already.
    values = pa.concat_tables(tables).group_by("value", use_threads=False)
    merged = values.aggregate([("train", "sum")])
    return merged.rename_columns({"train_sum": "train"})


def split_by_value(table: pa.Table, parts: int) -> Iterator[pa.Table]:
    """Splits a table of `value` and `train` so that a value is always in the same part.

    Args:
        table: The table.
        parts: Number of parts, at most 256.

    Yields:
        The parts, tables of about the same size. Each is made when it is asked for:
        together they are as large as the table.
    """
    # In batches: an array of 64 bits for each byte of the texts is large.
    batches = table.to_batches(max_chunksize=HASH_ROWS)
    of_rows = np.zeros(len(table), np.uint8)
    start = 0
    for batch in batches:
        hashes = hash_texts(batch["value"]) >> np.uint64(32)
        of_rows[start : start + len(batch)] = hashes % np.uint64(parts)
        start += len(batch)
    for number in range(parts):
        yield table.filter(pa.array(of_rows == number))


def write_table(path: epath.Path, table: pa.Table) -> None:
    """Writes a table to a file that `read_table` reads; the path may be one of object storage."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with naming_errors(path), path.open("wb") as file:
        file.write(memoryview(sink.getvalue()))


def read_table(path: epath.Path) -> pa.Table:
    """Reads a table that `write_table` wrote."""
    return pa.ipc.open_file(pa.py_buffer(path.read_bytes())).read_all()


def hash_texts(array: pa.Array) -> np.ndarray:
    """Returns 64 bits, uint64, for each text of an array, a function of its bytes alone.

    Example:

    >>> hash_texts(pa.array(["a", "b", "a"])) % np.uint64(1000)
    array([891, 892, 891], dtype=uint64)
    """
    ends = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(array.buffers()[2] or b"", np.uint8)[ends[0] : ends[-1]]
    starts = ends[:-1] - ends[0]
    lengths = np.diff(ends)
    # sum_j byte_j * p^j modulo 2^64, from a running sum over all texts.
    powers = np.full(max(lengths.max(initial=0), 1), 0x9E3779B97F4A7C15, np.uint64).cumprod()
    terms = (data + np.uint64(1)) * powers[np.arange(len(data)) - np.repeat(starts, lengths)]
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms)])
    return mixed(sums[starts + lengths] - sums[starts])


def mixed(bits: np.ndarray) -> np.ndarray:
    """Lets each of 64 bits depend on all of them, as SplitMix64 ends (Steele, Lea, Flood, 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
