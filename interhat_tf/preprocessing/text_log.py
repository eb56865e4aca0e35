"""A click log of text files whose first lines name the columns."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from interhat_tf.preprocessing.column_forms import NUMBER, Reading
from interhat_tf.preprocessing.file_log import FileLog
from interhat_tf.preprocessing.log_files import is_compressed
from interhat_tf.preprocessing.text_chunks import (
    TextChunk,
    last_rows,
    log_chunks,
    read_header,
    text_chunks,
)
from interhat_tf.preprocessing.text_parsing import parse

SAMPLE_BYTES = 4 << 20
"""How much of the first file is looked at to plan what becomes of the columns."""


@dataclasses.dataclass(frozen=True)
class TextLog(FileLog):
    """A log of text files; a value may be in double quotes.

    Args:
        paths: The files, in order.
        delimiter: The character between two values.
        encoding: The files' encoding. Defaults to `None`: UTF-8.
    """

    delimiter: str
    encoding: str | None = None

    @functools.cached_property
    def columns(self) -> list[str]:
        """The columns' names."""
        return read_header(self.paths[0], **self._format)

    @functools.cached_property
    def chunks(self) -> Iterable[TextChunk]:
        """The log's chunks."""
        return log_chunks(self.paths, **self._options)

    def sample(self) -> pa.Table:
        """Returns the first rows and, of plain files, the last ones, as texts."""
        chunk = next(text_chunks(self.paths[:1], chunk_bytes=SAMPLE_BYTES, **self._options))
        rows = [self._parse(chunk)]
        end = chunk.offset + chunk.length
        if not any(map(is_compressed, self.paths)):
            with contextlib.suppress(ValueError):  # reading the log names the line
                after = end if len(self.paths) == 1 else 0
                rows += [self._parse(chunk) for chunk in last_rows(self.paths[-1], after)]
        return pa.concat_tables(rows)

    def read(
        self, chunk: TextChunk, others: Iterable[str], reading: Reading, numbers: Sequence[str] = ()
    ) -> pa.Table:
        """Returns columns of a chunk, numbers as such and all else as text."""
        include = reading.with_others([*others, *numbers])
        numbers = [*numbers, *(s.column for s in reading.sources.values() if s.form == NUMBER)]
        return self._parse(chunk, numbers, include, reading.null_values)

    def _parse(self, chunk, numbers=(), include=None, null_values=()):
        types = dict.fromkeys(self.columns, pa.string()) | dict.fromkeys(numbers, pa.float64())
        return parse(
            chunk,
            types,
            include=include,
            null_values=null_values,
            **self._format,
        )

    @property
    def _format(self) -> dict[str, Any]:
        return {"delimiter": self.delimiter, "quoting": True, "encoding": self.encoding}

    @property
    def _options(self) -> dict[str, Any]:
        return {"header": self.columns, **self._format}
