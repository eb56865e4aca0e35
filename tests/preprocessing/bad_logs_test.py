"""Tests of logs that are refused in one line, which names the file, the line and what to do."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interhat_tf import prepare_click_log
from interhat_tf.preprocessing.log_files import log_files
from interhat_tf.preprocessing.text_chunks import TextChunk
from interhat_tf.preprocessing.text_parsing import parse

ROWS = "".join(f"{i % 2},{'ab'[i // 2 % 2]},{i}.5\n" for i in range(60))

LOGS = {
    "old Mac line ends": ("click,app,price\n" + ROWS).replace("\n", "\r"),
    "a carriage return in the header": "click,app\r,price\n" + ROWS,
    "a lone quote in the header": 'click,"app,price\n' + ROWS,
    "numbers that are too large": "click,app,price\n" + ROWS + "1,a,1e308\n1,a,-1e308\n" * 40,
}
PROBLEMS = {
    "old Mac line ends": r"log\.csv:1: .*carriage return",
    "a carriage return in the header": r"log\.csv:1: .*carriage return",
    "a lone quote in the header": r"log\.csv:1: the header ends within a double quote; close it",
    "numbers that are too large": r"log\.csv:62: price is 1e\+308; a number must be finite",
}


def prepare(path, folder, **options):
    return prepare_click_log(path, name="log", data_dir=folder / "prepared", **options)


@pytest.mark.parametrize("log", LOGS)
def test_text_that_is_no_log(tmp_path, log):
    path = tmp_path / "log.csv"
    path.write_text(LOGS[log], newline="")
    with pytest.raises(ValueError, match=PROBLEMS[log]):
        prepare(path, tmp_path, numerical=["price"] if "large" in log else None)


@pytest.mark.parametrize("delimiter", ["::", "", "\n", '"', "§"])
def test_delimiters_that_are_none(tmp_path, delimiter):
    (tmp_path / "log.csv").write_text("click,app,price\n" + ROWS)
    with pytest.raises(ValueError, match=r"delimiter is .*; it is one character"):
        prepare(tmp_path / "log.csv", tmp_path, delimiter=delimiter)


def test_a_folder_of_more_than_files(tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "0.csv").write_text("click,app,price\n" + ROWS)
    (parts / "_SUCCESS").mkdir()
    (parts / ".hidden").mkdir()
    prepare(parts, tmp_path)
    for make in (
        lambda path: path.mkdir(),
        lambda path: path.symlink_to(tmp_path / "nothing"),
        lambda path: path.symlink_to(path),
        os.mkfifo,
    ):
        more = tmp_path / "more"
        more.mkdir()
        (more / "0.csv").write_text("click,app,price\n" + ROWS)
        make(more / "1.csv")
        with pytest.raises(ValueError, match=r"1\.csv is (a folder|no file, or a link to none); a"):
            prepare(more, tmp_path)
        (more / "0.csv").unlink()
        with pytest.raises(ValueError, match=r"1\.csv is (a folder|no file)"):
            log_files(tmp_path, ["more"], "here")
        more.rename(tmp_path / f"was-{more.stat().st_ino}")


def test_a_pipe_is_no_log(tmp_path):
    os.mkfifo(tmp_path / "log.csv")
    with pytest.raises(ValueError, match=r"log\.csv is no file"):
        prepare(tmp_path / "log.csv", tmp_path)


def test_parquet_with_a_column_twice(tmp_path):
    table = pa.table([[0, 1], ["a", "b"], ["c", "d"]], names=["click", "app", "app"])
    pq.write_table(table, tmp_path / "log.parquet")
    with pytest.raises(ValueError, match=r"log\.parquet: column 'app' occurs twice; rename one"):
        prepare(tmp_path / "log.parquet", tmp_path)


@pytest.mark.parametrize("number", ["0x1", " -0XfF"])
def test_hexadecimal_numbers(number):
    data = f"1,x\n{number},0x1\n".encode()
    chunk = TextChunk("log.txt", 1, 0, rows=2, offset=0, length=len(data), data=data)
    columns = {"number": pa.int64(), "text": pa.string()}
    with pytest.raises(ValueError, match=r"log\.txt:2: number is .*; expected a whole number"):
        parse(chunk, columns, delimiter=",")
    data = data.replace(number.encode(), b"7", 1)
    chunk = TextChunk("log.txt", 1, 0, rows=2, offset=0, length=len(data), data=data)
    assert parse(chunk, columns, delimiter=",").to_pydict()["text"] == ["x", "0x1"]
