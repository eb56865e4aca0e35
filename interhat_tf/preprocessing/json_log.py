"""A click log of JSON lines: a record a line."""

import dataclasses
import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
from pyarrow import json as arrow_json

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.column_forms import NUMBER, Reading
from interhat_tf.preprocessing.file_log import FileLog
from interhat_tf.preprocessing.text_chunks import (
    MAX_LINE_BYTES,
    TextChunk,
    line_ends,
    log_chunks,
    text_chunks,
)
from interhat_tf.preprocessing.text_log import SAMPLE_BYTES
from interhat_tf.preprocessing.text_parsing import first_wrong_row
from interhat_tf.utils.short_text import shortened

ONE_RECORD = 'each line holds one, such as {"click": 1, "app": "maps"}'


@dataclasses.dataclass(frozen=True)
class JsonLog(FileLog):
    """A log of JSON lines. Names that are in none of the first lines are no columns.

    Args:
        paths: The files, in order.
    """

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return self._first_rows.column_names

    @functools.cached_property
    def chunks(self) -> Iterable[TextChunk]:
        """The log's chunks."""
        return log_chunks(self.paths)

    def sample(self) -> pa.Table:
        """Returns the first rows; times are text, as they are written."""
        return self._first_rows

    def read(
        self, chunk: TextChunk, others: Iterable[str], reading: Reading, numbers: Sequence[str] = ()
    ) -> pa.Table:
        """Returns columns of a chunk.

        Raises:
            ValueError: If a line is no record, or a value not of its column's
                type. The message names file and line.
        """
        schema = self._first_rows.schema
        include = reading.with_others([*others, *numbers])
        types = {name: schema.field(name).type for name in include}
        numbers = [*numbers, *(s.column for s in reading.sources.values() if s.form == NUMBER)]
        # A price that is whole in the first lines need not be so later.
        types |= {name: pa.float64() for name in numbers if not pa.types.is_string(types[name])}
        return _parse(chunk, types)

    @functools.cached_property
    def _first_rows(self) -> pa.Table:
        chunk = next(text_chunks(self.paths[:1], chunk_bytes=SAMPLE_BYTES))
        if chunk.read().lstrip()[:1] == b"[":
            raise DataError(
                f"{chunk.path}: a JSON array; write one record per line, as pandas does with "
                f"to_json(orient='records', lines=True)"
            )
        found = _parse(chunk, {}, unexpected="infer")
        names = found.column_names
        times = [field.name for field in found.schema if pa.types.is_timestamp(field.type)]
        found = _parse(chunk, dict.fromkeys(times, pa.string()), unexpected="infer")
        return found.select(names)


def _parse(
    chunk: TextChunk, types: Mapping[str, pa.DataType], unexpected: str = "ignore"
) -> pa.Table:
    def read(data: bytes, rows: int) -> pa.Table:
        table = arrow_json.read_json(
            pa.py_buffer(data),
            arrow_json.ReadOptions(use_threads=False, block_size=MAX_LINE_BYTES),
            arrow_json.ParseOptions(
                explicit_schema=pa.schema(list(types.items())),
                unexpected_field_behavior=unexpected,
            ),
        )
        if len(table) != rows:
            raise pa.ArrowInvalid("the line does not hold exactly one record")
        return table

    data = chunk.read()
    try:
        return read(data, chunk.rows)
    except pa.ArrowInvalid as error:
        ends = line_ends(data)
        row = first_wrong_row(data, ends, read)
        line = data[ends[row - 1] if row else 0 : ends[row]]
        problem = _problem_of_line(line, str(error))
        raise DataError(f"{chunk.path}:{chunk.first_line + row}: {problem}") from error


def _problem_of_line(line: bytes, problem: str) -> str:
    """Says what is wrong with a line that pyarrow cannot read."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        return f"not a record ({error.msg}, character {error.pos + 1}); {ONE_RECORD}"
    except UnicodeDecodeError:
        return "the line is not in UTF-8; convert the file"
    if not isinstance(record, dict):
        return f"not a record; {ONE_RECORD}"
    changed = re.search(r"Column\(/([^/]+)((?:/\[\])?)\) changed from (\w+) to ", problem)
    if changed and changed[1] in record:
        value = shortened(json.dumps(record[changed[1]], ensure_ascii=False))
        kind = "text" if changed[3] == "string" else changed[3]
        firsts = "lists hold" if changed[2] else "values are of"
        return f"{changed[1]} is {value}; its first {firsts} the kind {kind}, write all so"
    problem = " ".join(problem.split()).partition(" in row ")[0].rstrip(".")
    return f"{problem}; {ONE_RECORD}"
