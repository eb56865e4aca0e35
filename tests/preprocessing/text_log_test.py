import gzip
import random
import zlib

import pyarrow as pa
import pytest

from interhat_tf.preprocessing.checks import binary_labels
from interhat_tf.preprocessing.log_files import log_files, manual_folder
from interhat_tf.preprocessing.text_chunks import (
    MAX_LINE_BYTES,
    first_chunks,
    log_chunks,
    read_header,
    text_chunks,
)
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


@pytest.mark.parametrize("name", ["log.txt", "log.txt.gz", "log.txt.zst"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_end", [True, False])
def test_chunks_of_any_size_give_the_same_rows(tmp_path, name, end, last_end):
    lines = log_lines(12)
    content = end.join(lines) + (end if last_end else "")
    path = write(tmp_path / name, content)
    for chunk_bytes in range(1, len(content.encode()) + 2):
        found = list(text_chunks([path], chunk_bytes=chunk_bytes))
        check_places(found, [path])
        assert read_rows(found) == expected_rows(lines)
    assert len(found) == 1
    assert len(list(text_chunks([path], chunk_bytes=1))) == 12


@pytest.mark.parametrize("chunk_bytes", [1, 100, 1_000, 10**6])
def test_parts_in_order(tmp_path, chunk_bytes):
    lines = log_lines(300)
    names = ["1.txt", "2.txt.gz", "3.txt.zst"]
    paths = [
        write(tmp_path / name, "\n".join(lines[100 * number : 100 * number + 100]))
        for number, name in enumerate(names)
    ]
    found = list(text_chunks(paths, chunk_bytes=chunk_bytes))
    check_places(found, paths)
    assert read_rows(found) == expected_rows(lines)
    # Only what cannot be read from the middle is carried along.
    assert {chunk.path for chunk in found if chunk.data is not None} == set(paths[1:])


def test_lines_longer_than_a_read(tmp_path):
    name = "x" * (MAX_LINE_BYTES - 100)
    path = write(tmp_path / "log.txt", "".join(f"0\t{row}\t\t{name}{row}\n" for row in range(3)))
    for chunk_bytes in (1, 300_000, MAX_LINE_BYTES, 10**7):
        rows = read_rows(text_chunks([path], chunk_bytes=chunk_bytes))
        assert [(row["count"], row["name"]) for row in rows] == [
            (row, f"{name}{row}") for row in range(3)
        ]


@pytest.mark.parametrize("compress", [gzip.compress, lambda data: pa.compress(data, "zstd", True)])
def test_concatenated_compressed_files(tmp_path, compress):
    lines = log_lines(20)
    path = tmp_path / ("log.gz" if compress is gzip.compress else "log.zst")
    parts = ["\n".join(lines[:10]) + "\n", "\n".join(lines[10:]) + "\n"]
    path.write_bytes(b"".join(compress(part.encode()) for part in parts))
    assert read_rows(text_chunks([str(path)])) == expected_rows(lines)


@pytest.mark.parametrize("name", ["log.txt", "log.txt.gz"])
@pytest.mark.parametrize("chunk_bytes", [1, 60, 10**6])
def test_first_chunks(tmp_path, name, chunk_bytes):
    lines = log_lines(30)
    path = write(tmp_path / name, "\n".join(lines))
    for rows in (0, 1, 2, 15, 29, 30, 31):
        found = list(first_chunks(text_chunks([path], chunk_bytes=chunk_bytes), rows))
        assert sum(chunk.rows for chunk in found) == min(rows, 30)
        check_places(found, [path])
        if rows:
            assert read_rows(found) == expected_rows(lines[:rows])


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_log_chunks_can_be_read_again(tmp_path, suffix, share):
    lines = log_lines(55)
    paths = [
        write(tmp_path / f"1.txt{suffix}", "\n".join(lines[:20])),
        write(tmp_path / "2.txt", "\n".join(lines[20:])),
    ]
    found = log_chunks(paths, share=share, chunk_bytes=200)
    assert isinstance(found, list) == (suffix == "")
    for _ in range(2):
        assert read_rows(found) == expected_rows(lines[: int(share * 55)])


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_share_without_rows(tmp_path, suffix):
    path = write(tmp_path / f"log.txt{suffix}", "\n".join(log_lines(3)))
    with pytest.raises(ValueError, match=r"log.txt\S*: 30% of the 3 rows are none"):
        log_chunks([path], share=0.3)


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
@pytest.mark.parametrize("chunk_bytes", [1, 10**6])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_header(tmp_path, name, chunk_bytes, mark, end):
    lines = log_lines(10)
    header = "\t".join(COLUMNS)
    paths = [
        write(tmp_path / name, mark + end.join([header, *lines[:6]]) + end),
        write(tmp_path / f"2-{name}", mark + end.join([header, *lines[6:]])),
    ]
    found = list(text_chunks(paths, header=list(COLUMNS), delimiter="\t", chunk_bytes=chunk_bytes))
    check_places(found, paths, header_lines=1)
    assert read_rows(found) == expected_rows(lines)
    assert read_header(paths[0], "\t") == list(COLUMNS)


def test_column_that_is_there_twice(tmp_path):
    path = write(tmp_path / "log.csv", "name,count,name\n")
    with pytest.raises(ValueError, match=r"log.csv:1: column 'name' is there twice; rename one"):
        read_header(path, ",")


def test_byte_order_mark_without_a_header(tmp_path):
    lines = log_lines(10)
    path = write(tmp_path / "log.txt", "\ufeff" + "\n".join(lines))
    for chunk_bytes in (1, 100, 10**6):
        assert read_rows(text_chunks([path], chunk_bytes=chunk_bytes)) == expected_rows(lines)
    path = write(tmp_path / "log.txt", "\ufeff0\tx\t\t\n")
    with pytest.raises(ValueError, match=r"log.txt:1: count is 'x'; expected a whole number"):
        read_rows(text_chunks([path]))


def test_quoting(tmp_path):
    path = write(tmp_path / "log.csv", 'label,"the, name"\n"1","a ""b"", c"\n0,""\n,d\n')
    header = read_header(path, ",", quoting=True)
    assert header == ["label", "the, name"]
    (chunk,) = text_chunks([path], header=header, quoting=True)
    columns = dict(zip(header, [pa.int64(), pa.string()], strict=True))
    assert parse(chunk, columns, delimiter=",", quoting=True).to_pylist() == [
        {"label": 1, "the, name": 'a "b", c'},
        {"label": 0, "the, name": ""},
        {"label": None, "the, name": "d"},
    ]


@pytest.mark.parametrize(
    "lines", [['1,"a', 'b"', "0,c"], ['1,"a', "0,b", "0,c"], ['1,"a', '0,"b"', '0,"c"']]
)
def test_line_end_within_quotes(tmp_path, lines):
    path = write(tmp_path / "log.csv", "\n".join(["0,x", *lines]))
    (chunk,) = text_chunks([path])
    columns = {"label": pa.int64(), "name": pa.string()}
    with pytest.raises(ValueError, match=r"log.csv:2: a double quote is not closed"):
        parse(chunk, columns, delimiter=",", quoting=True)


def test_quotes_are_text_unless_asked_for(tmp_path):
    path = write(tmp_path / "log.csv", '1,"a\n0,b"\n')
    (chunk,) = text_chunks([path])
    table = parse(chunk, {"label": pa.int64(), "name": pa.string()}, delimiter=",")
    assert table["name"].to_pylist() == ['"a', 'b"']


def test_columns_that_are_left_out(tmp_path):
    path = write(tmp_path / "log.txt", b"0\tno number\t\xff\tone\n1\t2\t3\ttwo\n")
    (chunk,) = text_chunks([path])
    table = parse(chunk, COLUMNS, delimiter="\t", include=["name", "label"])
    assert table.to_pylist() == [{"name": "one", "label": "0"}, {"name": "two", "label": "1"}]
    with pytest.raises(ValueError, match=r"log.txt:1: count is 'no number'"):
        parse(chunk, COLUMNS, delimiter="\t", include=["count"])


BAD_LINES = [
    (b"0\t1\t2", "expected 4 values, found 3; the line is damaged or cut off"),
    (b"0\t1\t2\ta\tb", "expected 4 values, found 5"),
    (b"", "the line is empty; remove it"),
    (b"0\tabc\t\ta", "count is 'abc'; expected a whole number"),
    (b"0\t1.5\t\ta", "count is '1.5'; expected a whole number"),
    (b"0\t9223372036854775808\t\ta", "count is '9223372036854775808'; expected a whole number"),
    (b"0\t1\tabc\ta", "price is 'abc'; expected a number"),
    (b"0\t1\t\ta\xffb", r"name is 'a\udcffb'; the value is not in UTF-8"),
    (b"0\t" + b"x" * 99 + b"\t\ta", f"count is '{'x' * 50}…'; expected"),
    (b"0\t1\t\ta\rb", "a carriage return is within the line"),
    (b"0\t1\t2\ta\r0\t1\t2\tb", "a carriage return is within the line"),
]


@pytest.mark.parametrize(("line", "problem"), BAD_LINES)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("name", ["log.txt", "log.txt.gz"])
def test_bad_line(tmp_path, line, problem, end, name):
    """The line is named, in whichever place of whichever chunk it is."""
    header = "\t".join(COLUMNS).encode()
    good = [text.encode() for text in log_lines(200)]
    for number in (2, 3, 150, 201):
        lines = [header, *good[: number - 2], line, *good[number - 2 :]]
        path = write(tmp_path / name, end.join(lines))
        for chunk_bytes in (1, 1_500, 10**6):
            found = text_chunks([path], header=COLUMNS, delimiter="\t", chunk_bytes=chunk_bytes)
            with pytest.raises(ValueError) as error:
                read_rows(found)
            assert str(error.value).startswith(f"{path}:{number}: {problem}")
            assert "\n" not in str(error.value)


def test_bad_line_of_a_second_file(tmp_path):
    lines = log_lines(10)
    paths = [write(tmp_path / f"{part}.txt", "\n".join(lines)) for part in (1, 2)]
    write(tmp_path / "2.txt", "\n".join([*lines, "0\t1"]))
    with pytest.raises(ValueError, match=r"2.txt:11: expected 4 values, found 2"):
        read_rows(text_chunks(paths, chunk_bytes=100))


def test_labels(tmp_path):
    path = write(tmp_path / "log.txt", "\n".join(["1", "0", "-1"] * 10 + ["2", "1"]))
    found = list(text_chunks([path], chunk_bytes=20))
    columns = {"click": pa.string()}
    labels = [parse(chunk, columns, delimiter="\t")["click"] for chunk in found]
    assert binary_labels(labels[0], found[0]).tolist()[:3] == [1, 0, 0]
    with pytest.raises(ValueError, match=r"log.txt:31: click is '2'; a label is 0 or 1"):
        for chunk, column in zip(found, labels, strict=True):
            binary_labels(column, chunk, "click")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", ": the file is empty; get the file again, or remove it"),
        (b"label\tcount\tprice\tname\n", ": the file has no rows"),
        (b"\xef\xbb\xbflabel\tcount\tprice\tname", ": the file has no rows"),
        (b"label\tcount\tname\n0\t\t\n", ":1: the header must be label, count, price, name; found"),
        (b"0\t\t\t\n", ":1: the header must be label, count, price, name; found 0, , , "),
        (b"l\xe4bel\tcount\n", ":1: the header is not in UTF-8"),
        (b"a\0b\n\n", ": the file is not text in UTF-8"),
        ("label\tcount".encode("utf-16"), ": the file is not text in UTF-8"),
        (
            gzip.compress(b"0\t\t\t\n", mtime=0),
            ": the file is not text but gzip; give it a name that ends",
        ),
        (pa.compress(b"0", "zstd", True), ": the file is not text but zstd; give it a name"),
        (b"PK\x03\x04\0\0\0", ": the file is not text but zip; unpack it"),
        (b"PAR1\0\0\0\n", ": the file is not text but Parquet"),
        (b"x" * MAX_LINE_BYTES, f":1: the line is longer than {MAX_LINE_BYTES} bytes"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_bad_file(tmp_path, content, problem, suffix):
    path = write(tmp_path / f"log.txt{suffix}", content)
    with pytest.raises(ValueError) as error:
        list(text_chunks([path], header=list(COLUMNS), delimiter="\t"))
    assert str(error.value).startswith(f"{path}{problem}")


def test_line_that_never_ends(tmp_path):
    path = write(tmp_path / "log.txt", "0\t\t\t\n" * 9 + "x" * 3 * MAX_LINE_BYTES)
    with pytest.raises(ValueError, match=r"log.txt:10: the line is longer than"):
        list(text_chunks([path], chunk_bytes=10))
    with pytest.raises(ValueError, match=r"log.txt:10: "):
        read_rows(text_chunks([path], chunk_bytes=10**7))


def deflate_block():
    """A gzip file that is cut off after a whole block of its content."""
    stream = zlib.compressobj(wbits=31)
    return stream.compress("\n".join(log_lines(1_000)).encode()) + stream.flush(zlib.Z_FULL_FLUSH)


@pytest.mark.parametrize("kind", ["half", "trailer", "block", "junk", "checksum", "text", "zeros"])
def test_damaged_gzip(tmp_path, kind):
    whole = gzip.compress("\n".join(log_lines(1_000)).encode())
    content = {
        "half": whole[: len(whole) // 2],
        "trailer": whole[:-8],
        "block": deflate_block(),
        "junk": whole + b"junk",
        "checksum": whole[:-8] + bytes(4) + whole[-4:],
        "text": b"0\t1\t2\ta\n",
        "zeros": bytes(100),
    }[kind]
    path = tmp_path / "log.txt.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"log.txt.gz: the gzip file is cut off or damaged \(.+\)"):
        list(text_chunks([str(path)]))


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_damaged_zstd(tmp_path, kept):
    whole = pa.compress("\n".join(log_lines(1_000)).encode(), "zstd", True)
    path = tmp_path / "log.txt.zst"
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"log.txt.zst: the zstd file is cut off or damaged"):
        list(text_chunks([str(path)]))


def test_file_that_changes(tmp_path):
    path = write(tmp_path / "log.txt", "\n".join(log_lines(10)))
    found = list(text_chunks([path], chunk_bytes=10**6))
    write(tmp_path / "log.txt", "\n".join(log_lines(9)))
    with pytest.raises(ValueError, match=r"log.txt: the file has changed while it was read"):
        read_rows(found)


@pytest.mark.parametrize(
    "name", ["train.txt", "train.txt.gz", "train.txt.zst", "train", "train.gz", "train.zst"]
)
def test_log_file(tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "test.txt").touch()
    expected = [str(tmp_path / name)]
    assert log_files(tmp_path, ["train.txt", "train"], "somewhere") == expected
    assert log_files(tmp_path / name, ["another name"], "somewhere") == expected


@pytest.mark.parametrize("folder", ["train.txt", "train"])
def test_folder_of_parts(tmp_path, folder):
    parts = tmp_path / folder
    parts.mkdir()
    for name in ("part-2.gz", "part-1", "_SUCCESS", ".part-1.crc", "part-3.zst"):
        (parts / name).touch()
    (parts / "subfolder").mkdir()
    expected = [str(parts / name) for name in ("part-1", "part-2.gz", "part-3.zst")]
    assert log_files(tmp_path, ["train.txt", "train"], "somewhere") == expected
    assert log_files(parts, ["train.txt", "train"], "somewhere") == expected


def test_missing_log(tmp_path):
    (tmp_path / "train.txt").mkdir()
    (tmp_path / "test.txt").touch()
    with pytest.raises(FileNotFoundError) as error:
        log_files(tmp_path, ["train.txt", "train"], "example.org")
    assert str(error.value) == (
        f"{tmp_path / 'train.txt'} is missing: get it from example.org and store it as train.txt "
        f"or train, plain or compressed (.gz, .zst), in the original files' folder"
    )


def test_manual_folder(tmp_path):
    class Manager:
        def __init__(self, folder, error=None):
            self._manual_dir, self.error = folder, error

        @property
        def manual_dir(self):
            if self.error:
                raise self.error
            return self._manual_dir

    assert manual_folder(Manager(tmp_path)) == tmp_path
    file = tmp_path / "my log.txt"
    assert manual_folder(Manager(file, NotADirectoryError())) == file
    assert str(manual_folder(Manager(None, AssertionError()))) == "<manual_dir>"
