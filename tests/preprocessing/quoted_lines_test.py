"""Tests of where records end, against Python's csv."""

import csv
import io
import random

import pytest

from interhat_tf import prepare_click_log
from interhat_tf.preprocessing import text_chunks
from interhat_tf.preprocessing.quoted_lines import record_ends, rows_of_more_lines
from interhat_tf.preprocessing.text_log import TextLog


def records(rows, seed):
    """Rows of values with quotes, commas and line ends, and their bytes."""
    draw = random.Random(seed)
    values = ["a", "", 'say "x"', "a, b", "one\ntwo", "\n", '"\n"', "x\r\ny", "Zürich"]
    table = [[str(row % 2), *draw.choices(values, k=2)] for row in range(rows)]
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(table)
    return table, file.getvalue().encode()


@pytest.mark.parametrize("seed", range(5))
def test_every_record_is_found(seed):
    table, data = records(200, seed)
    ends = record_ends(data, ",")
    starts = [0, *ends[:-1]]
    found = [data[start:end].decode() for start, end in zip(starts, ends, strict=True)]
    assert [next(csv.reader(io.StringIO(text, newline=""))) for text in found] == table
    lines = [row for row, text in enumerate(found) for _ in range(text.count("\n") - 1)]
    assert list(rows_of_more_lines(data, ends)) == lines


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ('1,5" tv\n0,7" tv\n', [8, 8]),  # no value begins with the quote
        ('1,"5"" tv"\n', [11]),
        ('1,"a\n0,b\n', []),
        ('1,b\n2,"a\n\n"\n3,"', [4, 8]),
        ("", []),
    ],
)
def test_quotes_within_and_without(text, lengths):
    data = text.encode()
    ends = record_ends(data, ",").tolist()
    assert [end - start for start, end in zip([0, *ends], ends, strict=False)] == lengths


@pytest.mark.parametrize("chunk_bytes", [40, 1000, 1 << 20])
def test_a_log_of_such_records(tmp_path, monkeypatch, chunk_bytes):
    monkeypatch.setattr(text_chunks, "CHUNK_BYTES", chunk_bytes)
    table, data = records(300, 7)
    path = tmp_path / "log.csv"
    path.write_bytes(b"y,a,b\n" + data)
    log = TextLog([str(path)], ",")
    line = 2
    for chunk in log.chunks:
        for row in range(chunk.rows):
            assert chunk.line_of(row) == line
            line += 1 + sum(value.count("\n") for value in table[chunk.first_row + row])
    assert log.rows == 300
    prepared = prepare_click_log(path, name="log", data_dir=tmp_path)
    assert sorted(prepared.vocabularies["a"]) == sorted({row[1] for row in table})


def test_the_last_record_needs_no_line_end(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b'y,a\n0,"a\nb"\n1,"c\nd"')
    chunks = TextLog([str(path)], ",").chunks
    assert [chunk.read() for chunk in chunks] == [b'0,"a\nb"\n', b'1,"c\nd"']


def test_wrong_values_name_their_line(tmp_path):
    path = tmp_path / "log.csv"
    good = 'y,a,x\n1,"a\nb",1.5\n0,c,\n' + '1,"\n\n",2\n0,d,2.5\n' * 50
    wrong = [("2,e,1\n", 205, "y is '2'"), ("1,e,z\n", 205, "x is 'z'; expected a number")]
    wrong += [
        ("1,e\n", 205, "expected 3 values, found 2"),
        ('1,"e,1\n0,d,1\n', 205, "a double quo"),
    ]
    for text, line, problem in wrong:
        path.write_text(good + text)
        with pytest.raises(ValueError) as error:
            prepare_click_log(
                path, name="log", data_dir=tmp_path, numerical=["x"], categorical=["a"]
            )
        assert str(error.value).startswith(f"{path}:{line}: {problem}")
