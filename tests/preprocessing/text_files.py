"""Text files of made-up rows, and what is read of them."""

import gzip
import random

import pyarrow as pa

from interhat_tf.preprocessing.text_parsing import parse

COLUMNS = {"label": pa.string(), "count": pa.int64(), "price": pa.float64(), "name": pa.string()}


def log_lines(rows):
    """Lines of tab-separated values, some missing; the name is different in each."""
    draw = random.Random(0)
    return [
        "\t".join(
            [
                draw.choice("01"),
                draw.choice(["", "-3", str(draw.randrange(10**9))]),
                draw.choice(["", "0.25", "1e3"]),
                f"näme {row}" if row % 7 else "",
            ]
        )
        for row in range(rows)
    ]


def expected_rows(lines):
    """The rows of the lines, read without the library."""
    rows = []
    for line in lines:
        label, count, price, name = line.split("\t")
        rows.append(
            {
                "label": label,
                "count": int(count) if count else None,
                "price": float(price) if price else None,
                "name": name,
            }
        )
    return rows


def read_rows(found, **options):
    tables = [parse(chunk, COLUMNS, delimiter="\t", **options) for chunk in found]
    return pa.concat_tables(tables).to_pylist()


def write(path, content):
    """Writes text or bytes as the path's suffix says; returns the path as text."""
    data = content.encode() if isinstance(content, str) else content
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = pa.compress(data, codec="zstd", asbytes=True)
    path.write_bytes(data)
    return str(path)


def check_places(found, paths, header_lines=0):
    """Chunks follow one another without a gap, in the files and in the log."""
    row = 0
    for path in paths:
        line, offset = 1 + header_lines, None
        for chunk in [chunk for chunk in found if chunk.path == path]:
            assert (chunk.first_line, chunk.first_row) == (line, row)
            assert offset in (None, chunk.offset)
            assert len(chunk.read()) == chunk.length
            line, row, offset = line + chunk.rows, row + chunk.rows, chunk.offset + chunk.length
    assert sum(chunk.rows for chunk in found) == row
