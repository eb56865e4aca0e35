"""Tests of cutting text files into chunks of whole lines."""

import gzip

import pyarrow as pa
import pytest

from interhat_tf.preprocessing.text_chunks import (
    MAX_LINE_BYTES,
    first_chunks,
    log_chunks,
    read_header,
    text_chunks,
)
from tests.preprocessing.text_files import (
    COLUMNS,
    check_places,
    expected_rows,
    log_lines,
    read_rows,
    write,
)


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
    with pytest.raises(ValueError, match=r"log.txt\S*: 30% of 3 rows is less than one row"):
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
    with pytest.raises(ValueError, match=r"log.csv:1: column 'name' occurs twice; rename one"):
        read_header(path, ",")


def test_byte_order_mark_without_a_header(tmp_path):
    lines = log_lines(10)
    path = write(tmp_path / "log.txt", "\ufeff" + "\n".join(lines))
    for chunk_bytes in (1, 100, 10**6):
        assert read_rows(text_chunks([path], chunk_bytes=chunk_bytes)) == expected_rows(lines)
    path = write(tmp_path / "log.txt", "\ufeff0\tx\t\t\n")
    with pytest.raises(ValueError, match=r"log.txt:1: count is 'x'; expected a whole number"):
        read_rows(text_chunks([path]))


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
