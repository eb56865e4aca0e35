"""Counting and encoding a log on a cluster, by Apache Beam.

The functions that count and encode a chunk are those of one machine; Beam
brings the chunks to the workers, adds up what they count and distributes the
rows. The result is the same, byte for byte. All workers must see the raw files
and the folder of the prepared set.
"""

import json
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from etils import epath

from interhat_tf.errors import DataError, SettingError
from interhat_tf.preprocessing.encoding import Encoding
from interhat_tf.preprocessing.fields import RawField, is_counted
from interhat_tf.preprocessing.rows import Chunk, Rows
from interhat_tf.preprocessing.shuffle import Partitions
from interhat_tf.preprocessing.value_tables import (
    merge_tables,
    read_table,
    split_by_value,
    write_table,
)
from interhat_tf.preprocessing.vocabulary import (
    PARTS,
    Counts,
    ValueCounts,
    count_rows,
    select_values,
)
from interhat_tf.utils.files import naming_errors


class BeamRunner:
    """Does with Beam what `interhat_tf.preprocessing.local_runner.LocalRunner` does.

    Args:
        runner: The Beam runner or its name; `None` for the one that the
            options name.
        options: The `PipelineOptions`, or `None`.
    """

    def __init__(
        self,
        runner: "str | beam.runners.runner.PipelineRunner | None",
        options: PipelineOptions | None,
    ):
        self.options = options or PipelineOptions()
        self.runner = runner or self.options.view_as(StandardOptions).runner or "DirectRunner"

    def for_each(
        self, chunks: Iterable[Chunk], function: Callable[[Chunk], None], description: str
    ) -> None:
        """Calls a function for each chunk of a log; see `LocalRunner.for_each`."""
        with self._pipeline() as pipeline:
            _ = self._create(pipeline, chunks) | description >> beam.Map(function)

    def count(
        self,
        chunks: Iterable[Chunk],
        read: Callable[[Chunk], Rows],
        fields: Sequence[RawField],
        folder: epath.Path,
    ) -> tuple[Counts, Mapping[str, ValueCounts]]:
        """Counts the values of a log; see `LocalRunner.count`."""
        folder.mkdir()
        fields = tuple(fields)
        with self._pipeline() as pipeline:
            counts = self._create(pipeline, chunks) | "Count" >> beam.Map(
                lambda chunk: count_rows(read(chunk), fields)
            )
            _ = (
                counts
                | "DropValues" >> beam.Map(lambda counts: counts.without_values())
                | "AddTotals" >> beam.CombineGlobally(_add_totals).without_defaults()
                | "WriteTotals"
                >> beam.Map(lambda counts: _write_bytes(folder / "totals", pickle.dumps(counts)))
            )
            _ = (
                counts
                | "SplitValues" >> beam.FlatMap(_split_values)
                | "AddValues" >> beam.CombinePerKey(_merge)
                | "WriteValues" >> beam.Map(_write_values, fields=fields, folder=folder)
            )
        values = {
            field.name: _read_values(folder, position)
            for position, field in enumerate(fields)
            if is_counted(field)
        }
        return pickle.loads((folder / "totals").read_bytes()), values

    def encode(
        self,
        chunks: Iterable[Chunk],
        read: Callable[[Chunk], Rows],
        encoding: Encoding,
        partitions: Partitions,
    ) -> None:
        """Encodes the rows of a log; see `LocalRunner.encode`."""
        partitions.folder.mkdir()
        path = partitions.folder / "encoding.json"
        path.write_text(json.dumps(encoding.to_dict()))
        with self._pipeline() as pipeline:
            _ = (
                self._create(pipeline, chunks)
                | "Encode" >> beam.ParDo(_Distribute(read, path, partitions))
                | "Group" >> beam.GroupByKey()
                | "WritePartitions"
                >> beam.Map(lambda item: _write_bytes(partitions.path(*item[0]), b"".join(item[1])))
            )

    def _pipeline(self):
        return beam.Pipeline(runner=self.runner, options=self.options)

    def _create(self, pipeline, chunks):
        chunks = list(_check_plain(chunks))
        if not chunks:
            raise DataError("the log has no rows")
        return pipeline | "Chunks" >> beam.Create(chunks) | "Spread" >> beam.Reshuffle()


class _Distribute(beam.DoFn):
    """Encodes chunks and keys their rows by split and shuffle partition."""

    def __init__(
        self, read: Callable[[Chunk], Rows], path: epath.Path, partitions: Partitions
    ) -> None:
        self.read, self.path, self.partitions = read, path, partitions

    def setup(self) -> None:
        self.encoding = Encoding.from_dict(json.loads(self.path.read_text()))

    def process(self, chunk: Any) -> Iterator[Any]:  # Beam reads hints and would go by them
        for split, number, rows in self.partitions.distribute(self.read(chunk), self.encoding):
            yield (split, number), rows.tobytes()


def _check_plain(chunks):
    for chunk in chunks:
        if getattr(chunk, "data", None) is not None:
            raise SettingError(
                f"{chunk.path}: several workers cannot read chunks of a compressed file; "
                f"decompress it first"
            )
        yield chunk


def _add_totals(counts):
    first, *others = counts
    total = first.without_values()
    for other in others:
        total.add_totals(other)
    return total


def _split_values(counts):
    for name, table in counts.values.items():
        for number, part in enumerate(split_by_value(table, PARTS)):
            if len(part):
                yield (name, number), part


def _merge(tables: Iterable[pa.Table]) -> pa.Table:
    return merge_tables(list(tables))


def _write_values(item, fields, folder):
    """Writes what an encoding needs of a part of a field's values, and how many there were."""
    (name, number), table = item
    position = [field.name for field in fields].index(name)
    selected = select_values(fields[position], [table])
    metadata = {"distinct": str(selected.distinct)}
    write_table(
        folder / f"{position}-{number}.arrow", selected.table.replace_schema_metadata(metadata)
    )


def _read_values(folder, position):
    tables = [
        read_table(path)
        for path in sorted(folder.iterdir())
        if path.name.startswith(f"{position}-")
    ]
    distinct = sum(int(table.schema.metadata[b"distinct"]) for table in tables)
    return ValueCounts(merge_tables(tables), distinct)


def _write_bytes(path, data):
    with naming_errors(path), path.open("wb") as file:
        file.write(data)
