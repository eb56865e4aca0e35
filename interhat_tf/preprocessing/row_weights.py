"""How much each row of a click log counts: a column of weights, and negatives that were sampled."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.errors import SettingError
from interhat_tf.preprocessing.checks import check_values
from interhat_tf.preprocessing.fields import parse_numbers
from interhat_tf.preprocessing.rows import FileChunk

RULE = "a weight is a finite number, at least 0, in each row"


@dataclasses.dataclass(frozen=True)
class RowWeights:
    """What the weights of a log's rows follow from.

    Of a log that holds each click, and each other row with probability r, the other
    rows weigh 1 / r: a sum over its rows, so weighted, then is in the mean the sum over
    the rows that there were. Metrics are taken so. A training has another way of being
    about all those rows, see `training.record_weights.RecordWeights`.

    Args:
        column: The column of weights, or `None`: all rows weigh 1.
        negative_sampling_rate: The share r of the rows without a click that the log
            holds. Their weights, 1 or those of the column, are divided by it. Defaults to
            1: all.

    Raises:
        ValueError: If the rate is not above 0 and at most 1.

    Example:

    >>> from interhat_tf.preprocessing.text_chunks import TextChunk
    >>> chunk = TextChunk("log.txt", 1, 0, rows=3, offset=0, length=9)
    >>> rows = pa.table({"cost": [1.0, 2.0, 0.5]})
    >>> RowWeights("cost", 0.1).read(rows, np.array([0, 1, 0]), chunk)
    array([10.,  2.,  5.], dtype=float32)
    """

    column: str | None = None
    negative_sampling_rate: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.negative_sampling_rate <= 1:
            raise SettingError(
                f"negative_sampling_rate is the share of the rows without a click that the log "
                f"holds, above 0 and at most 1, got {self.negative_sampling_rate}"
            )

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [] if self.column is None else [self.column]

    def read(self, table: pa.Table, labels: np.ndarray, chunk: FileChunk) -> np.ndarray:
        """Returns the weights of a chunk's rows, (rows,) float32.

        Args:
            table: The chunk's columns.
            labels: 0 or 1, (rows,).
            chunk: The chunk, for the message.

        Raises:
            ValueError: If a weight is missing, negative, not finite, or no number of 32
                bits. The message names file and line.
        """
        share = np.where(labels == 1, 1.0, self.negative_sampling_rate)  # (rows,)
        if self.column is None:
            return (1 / share).astype(np.float32)
        column = table[self.column]
        weights = np.asarray(pc.fill_null(parse_numbers(column)[0], np.nan)) / share
        with np.errstate(over="ignore", under="ignore"):
            rounded = weights.astype(np.float32)
        # One that is too large or too small for 32 bits would become infinite or nothing.
        right = np.isfinite(rounded) & (rounded >= 0) & ((rounded > 0) == (weights > 0))
        check_values(right, column, chunk, self.column, RULE)
        return rounded
