"""Both passes over a click log on a cluster, by Apache Beam.

The functions that count and encode a piece are those of one machine; Beam
brings the pieces to the workers, adds up what they count and deals out the
rows. What comes out is the same, byte for byte. All workers must see the raw
files and the folder of the prepared set.
"""

import dataclasses
import json
import pickle

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from interhat_tf.preprocessing.encoding import Encoding, Numerical
from interhat_tf.preprocessing.vocabulary import (
    PARTS,
    ValueCounts,
    count_chunk,
    merge_tables,
    read_table,
    select_values,
    split_by_value,
    write_table,
)
from interhat_tf.utils.files import naming_errors


class BeamPasses:
    """Both passes by a Beam runner; like `interhat_tf.preprocessing.builder.LocalPasses`.

    Args:
        runner: The runner or its name; `None` for the options' own.
        options: The `PipelineOptions`, or `None`.
    """

    def __init__(self, runner, options):
        self.options = options or PipelineOptions()
        self.runner = runner or self.options.view_as(StandardOptions).runner or "DirectRunner"

    def count(self, pieces, read, fields, folder):
        """First pass; see `LocalPasses.count`."""
        folder.mkdir()
        fields = tuple(fields)
        with self._pipeline() as pipeline:
            counts = self._read(pipeline, pieces) | "Count" >> beam.Map(
                lambda piece: count_chunk(read(piece), fields)
            )
            _ = (
                counts
                | "DropValues" >> beam.Map(lambda counts: dataclasses.replace(counts, values={}))
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
            if not isinstance(field, Numerical)
        }
        return pickle.loads((folder / "totals").read_bytes()), values

    def encode(self, pieces, read, encoding, buckets):
        """Second pass; see `LocalPasses.encode`."""
        buckets.folder.mkdir()
        path = buckets.folder / "encoding.json"
        path.write_text(json.dumps(encoding.to_dict()))
        with self._pipeline() as pipeline:
            _ = (
                self._read(pipeline, pieces)
                | "Encode" >> beam.ParDo(_Deal(read, path, buckets))
                | "Group" >> beam.GroupByKey()
                | "WriteBuckets"
                >> beam.Map(lambda item: _write_bytes(buckets.path(*item[0]), b"".join(item[1])))
            )

    def _pipeline(self):
        return beam.Pipeline(runner=self.runner, options=self.options)

    def _read(self, pipeline, pieces):
        pieces = list(_check_plain(pieces))
        if not pieces:
            raise ValueError("the log has no pieces")
        return pipeline | "Pieces" >> beam.Create(pieces) | "Spread" >> beam.Reshuffle()


class _Deal(beam.DoFn):
    """Encodes pieces and keys their rows by split and bucket."""

    def __init__(self, read, path, buckets):
        self.read, self.path, self.buckets = read, path, buckets

    def setup(self):
        self.encoding = Encoding.from_dict(json.loads(self.path.read_text()))

    def process(self, piece):
        for split, bucket, rows in self.buckets.deal(self.read(piece), self.encoding):
            yield (split, bucket), rows.tobytes()


def _check_plain(pieces):
    for piece in pieces:
        if getattr(piece, "data", None) is not None:
            raise ValueError(
                f"{piece.path}: several workers cannot read pieces of a compressed file; "
                f"decompress it first"
            )
        yield piece


def _add_totals(counts):
    first, *others = counts
    total = dataclasses.replace(first, ranges=dict(first.ranges))
    for other in others:
        total.add_totals(other)
    return total


def _split_values(counts):
    for name, table in counts.values.items():
        for number, part in enumerate(split_by_value(table, PARTS)):
            if len(part):
                yield (name, number), part


def _merge(tables):
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
    tables = [read_table(path) for path in sorted(folder.glob(f"{position}-*.arrow"))]
    distinct = sum(int(table.schema.metadata[b"distinct"]) for table in tables)
    return ValueCounts(merge_tables(tables), distinct)


def _write_bytes(path, data):
    with naming_errors(path), path.open("wb") as file:
        file.write(data)
