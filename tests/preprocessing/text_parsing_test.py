"""Tests of parsing chunks: values, and errors that name the line."""

import pyarrow as pa
import pytest

from interhat_tf.preprocessing.text_chunks import (
    read_header,
    text_chunks,
)
from interhat_tf.preprocessing.text_parsing import parse
from tests.preprocessing.text_files import COLUMNS, log_lines, read_rows, write


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


def test_the_last_line_of_a_record_of_two_needs_no_end(tmp_path):
    path = write(tmp_path / "log.csv", '0,"x"\n1,"two\nlines"')
    chunks = list(text_chunks([path], quoting=True, chunk_bytes=8))
    assert [chunk.length for chunk in chunks] == [6, 13]
    columns = {"label": pa.int64(), "name": pa.string()}
    rows = [parse(chunk, columns, delimiter=",", quoting=True).to_pylist() for chunk in chunks]
    assert rows == [[{"label": 0, "name": "x"}], [{"label": 1, "name": "two\nlines"}]]


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
    """The line is named, wherever in whichever chunk it is."""
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


def test_file_that_changes(tmp_path):
    path = write(tmp_path / "log.txt", "\n".join(log_lines(10)))
    found = list(text_chunks([path], chunk_bytes=10**6))
    write(tmp_path / "log.txt", "\n".join(log_lines(9)))
    with pytest.raises(ValueError, match=r"log.txt: the file has changed while it was read"):
        read_rows(found)
