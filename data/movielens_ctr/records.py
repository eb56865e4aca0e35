"""Records of MovieLens: a user and a movie each, with what is known of both."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from interhat_tf.preprocessing.histories import Histories
from interhat_tf.preprocessing.rows import Rows

CHUNK_ROWS = 1 << 17


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """Pairs of a user and a movie, each with a label and a split.

    Args:
        pairs: Positions of the user and of the movie in their files, (rows, 2).
        labels: 0 or 1, (rows,) uint8.
        splits: Positions in `SPLITS`, (rows,) int8.
        histories: The movies of each pair's history. Defaults to `None`: there are none.
    """

    pairs: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    histories: Histories | None = None

    def __getitem__(self, rows: slice) -> "Samples":
        """Returns some of the samples."""
        histories = self.histories and self.histories[rows]
        return Samples(self.pairs[rows], self.labels[rows], self.splits[rows], histories)


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """A chunk of samples, and the tables that say what their users and movies are.

    Args:
        samples: The chunk's `Samples`.
        first_row: Number of its first pair.
        fields: The names of the fields.
        users: The users' table, as `read_users` returns it.
        movies: The movies' table, as `read_movies` returns it.
        source: The ratings' file, for messages.
    """

    samples: Samples
    first_row: int
    fields: Sequence[str]
    users: pa.Table
    movies: pa.Table
    source: str

    @property
    def rows(self) -> int:
        """Number of the pairs."""
        return len(self.samples.pairs)

    def read(self) -> Rows:
        """Returns the chunk's `Rows`."""
        columns = {}
        for table, of_pairs in zip((self.users, self.movies), self.samples.pairs.T, strict=True):
            for name in set(table.column_names) & set(self.fields):
                columns[name] = table[name].take(pa.array(of_pairs))
        if self.samples.histories and "history" in self.fields:
            titles = self.movies["movie"].combine_chunks()
            columns["history"] = self.samples.histories.lists_of(titles)
        values = pa.table({name: columns[name] for name in self.fields})
        samples = self.samples
        return Rows(values, samples.labels, samples.splits, self.source, first_row=self.first_row)


def chunks_of(samples: Samples, *of_all) -> list[Records]:
    """Returns samples as chunks of `CHUNK_ROWS`; the other arguments are those of `Records`."""
    starts = range(0, len(samples.pairs), CHUNK_ROWS)
    return [Records(samples[start : start + CHUNK_ROWS], start, *of_all) for start in starts]
