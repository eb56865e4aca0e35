"""A click log of text files whose first lines name the columns."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from interhat_tf.preprocessing.fields import Numerical, RawField
from interhat_tf.preprocessing.kinds import kind_of_texts
from interhat_tf.preprocessing.text_chunks import (
    TextChunk,
    log_chunks,
    read_header,
    text_chunks,
)
from interhat_tf.preprocessing.text_parsing import parse

SAMPLE_BYTES = 4 << 20
"""How much of the first file is looked at to infer the columns' kinds."""


@dataclasses.dataclass(frozen=True)
class TextLog:
    """A log of text files; a value may be in double quotes.

    Args:
        paths: The files, in order.
        delimiter: The character between two values.
    """

    paths: list[str]
    delimiter: str

    @functools.cached_property
    def columns(self) -> list[str]:
        """The columns' names."""
        return read_header(self.paths[0], self.delimiter, quoting=True)

    @functools.cached_property
    def chunks(self) -> Iterable[TextChunk]:
        """The log's chunks."""
        return log_chunks(self.paths, **self._options)

    @functools.cached_property
    def rows(self) -> int:
        """Number of rows."""
        return sum(chunk.rows for chunk in self.chunks)

    def kind(self, column: str) -> str:
        """Returns a column's kind by its first values, or what it is if that can be neither."""
        return kind_of_texts(self._sample[column])

    def read(self, chunk: TextChunk, label: str, fields: Sequence[RawField]) -> pa.Table:
        """Returns the labels, as they are, and the fields' values of a chunk."""
        types = dict.fromkeys(self.columns, pa.string())
        types |= {field.name: pa.float64() for field in fields if isinstance(field, Numerical)}
        include = [label, *(field.name for field in fields)]
        return parse(chunk, types, delimiter=self.delimiter, include=include, quoting=True)

    @functools.cached_property
    def _sample(self):
        chunk = next(text_chunks(self.paths[:1], chunk_bytes=SAMPLE_BYTES, **self._options))
        types = dict.fromkeys(self.columns, pa.string())
        return parse(chunk, types, delimiter=self.delimiter, quoting=True)

    @property
    def _options(self) -> dict[str, Any]:
        return {"header": self.columns, "delimiter": self.delimiter, "quoting": True}
