"""Records of MovieLens: a user and a movie each, with what is known of both."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from interhat_tf.preprocessing.rows import Rows

CHUNK_ROWS = 1 << 17


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """Pairs of a user and a movie, each with a label and a split.

    Args:
        pairs: Positions of the user and of the movie in their files, (rows, 2).
        labels: 0 or 1, (rows,) uint8.
        splits: Positions in `SPLITS`, (rows,) int8.
        liked: Positions of movies, of which each pair's history is a part. Defaults to
            none: there are no histories.
        histories: Where in `liked` each pair's history begins and ends, (rows, 2).
            Defaults to none.
    """

    pairs: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    liked: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0, np.int32))
    histories: np.ndarray | None = None


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
        if self.samples.histories is not None:
            columns["history"] = self._histories()
        values = pa.table({name: columns[name] for name in self.fields})
        samples = self.samples
        return Rows(values, samples.labels, samples.splits, self.source, first_row=self.first_row)

    def _histories(self):
        """Returns the titles of each pair's history, a column of lists."""
        starts, ends = self.samples.histories.T
        offsets = np.concatenate([[0], np.cumsum(ends - starts)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], ends - starts)
        movies = self.samples.liked[np.repeat(starts, ends - starts) + within]
        titles = self.movies["movie"].combine_chunks().take(pa.array(movies))
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), titles)


def chunks_of(samples: Samples, *of_all) -> list[Records]:
    """Returns samples as chunks of `CHUNK_ROWS`; the other arguments are those of `Records`."""
    chunks = []
    for start in range(0, len(samples.pairs), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        histories = None if samples.histories is None else samples.histories[part]
        of_chunk = Samples(
            samples.pairs[part],
            samples.labels[part],
            samples.splits[part],
            samples.liked,
            histories,
        )
        chunks.append(Records(of_chunk, start, *of_all))
    return chunks
