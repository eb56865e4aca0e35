"""Logs that are broken in one place each: refused with the place, and nothing is left half made."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interhat_tf import prepare_click_log

NAMES = ["click", "user", "city", "price", "when", "fold"]
LINE = 61
"""The line that is broken; the header is the first."""

OPTIONS = {"categorical": ["user", "city"], "numerical": ["price", "when"]}
TIME, FOLD = {"split": "time:when"}, {"split": "column:fold"}


def good_rows():
    return [
        {
            "click": row % 3 % 2,
            "user": f"u{row % 7}",
            "city": ["Zürich", 'the "big" one', "a, b", "Rome\nor\nOstia"][row % 4],
            "price": row / 4,
            "when": f"2024-01-{1 + row % 20:02} 10:00:00",
            "fold": ["train", "validation", "test"][row % 3],
        }
        for row in range(120)
    ]


def quoted(value):
    text = str(value).replace('"', '""')
    return f'"{text}"' if set(text) & set(',"\n') else text


def good_lines():
    """The lines of a CSV file of the rows, those with line ends in them left out."""
    rows = [{**row, "city": row["city"].partition("\n")[0]} for row in good_rows()]
    return [",".join(NAMES), *(",".join(map(quoted, row.values())) for row in rows)]


def refused(folder, log, options):
    """Returns the message with which a log is refused, checked to leave nothing behind."""
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        prepare_click_log(log, name="log", data_dir=folder / "sets", **{**OPTIONS, **options})
    left = [path.name for path in (folder / "sets").rglob("*") if path.is_file()]
    assert left in ([], [".1.0.0.lock"])
    assert not list((folder / "sets").rglob("*1.0.0"))
    message = str(error.value)
    assert "\n" not in message and len(message) < 400
    return message


def values(**changed):
    """A line in which some values are others, as they are written."""
    row = {name: str(value) for name, value in good_rows()[LINE - 2].items()}
    return ",".join(({name: quoted(value) for name, value in row.items()} | changed).values())


BROKEN_LINES = {
    "no number": (values(price="abc"), {}, "price is 'abc'; expected a number, or nothing"),
    "a comma in a number": (values(price='"1,5"'), {}, "price is '1,5'; expected a number"),
    "a thousand": (values(price="1'000"), {}, 'price is "1\'000"; expected a number'),
    "a currency": (values(price="12 €"), {}, "price is '12 €'; expected a number"),
    "a hexadecimal number": (values(price="0x1F"), {}, "price is '0x1F'; expected a number"),
    "a word for missing": (values(price="unknown"), {}, "price is 'unknown'; expected a number"),
    "infinity": (values(price="inf"), {}, "price is inf; a number must be finite, leave it empty"),
    "too large": (values(price="-1e999"), {}, "price is -inf; a number must be finite"),
    "a null byte": (values(price="1\0"), {}, "price is '1\\x00'; expected a number"),
    "no label": (values(click=""), {}, "click is ''; a label is '0' or '1'"),
    "a third label": (values(click="2"), {}, "click is '2'; a label is '0' or '1'"),
    "a label of another kind": (values(click="yes"), {}, "click is 'yes'; a label is '0' or '1'"),
    "a null word as label": (values(click="NA"), {}, "click is 'NA'; a label is '0' or '1'"),
    "a value too few": (values().rpartition(",")[0], {}, "expected 6 values, found 5; the line is"),
    "a value too many": (values() + ",x", {}, "expected 6 values, found 7; the line is damaged"),
    "a comma not quoted": (values(city="a, b"), {}, "expected 6 values, found 7; the line is"),
    "an empty line": ("", {}, "the line is empty; remove it"),
    "a blank line": ("  ", {}, "expected 6 values, found 1; the line is damaged or cut off, get"),
    "a quote not closed": (values(city='"Rome'), {}, "a double quote is not closed"),
    "a carriage return": (values(city="Ro\rme"), {}, "a carriage return is within the line; lines"),
    "no such day": (values(when="2024-02-30"), {}, "when is '2024-02-30'; expected a date as 2024"),
    "day and month": (values(when="31.01.2024"), {}, "when is '31.01.2024'; expected a date as"),
    "no such hour": (values(when="2024-01-31 25:00"), {}, "when is '2024-01-31 25:00'; expected a"),
    "no time": (values(when=""), TIME, "when is ''; a split by time needs a date as 2024-01-31"),
    "no such time": (values(when="soon"), TIME, "when is 'soon'; a split by time needs a date"),
    "no such split": (values(fold="valid"), FOLD, "fold is 'valid'; a row's split must be ex"),
    "no split": (values(fold=""), FOLD, "fold is ''; a row's split must be exactly train, val"),
    "another encoding": (values(city="Genève").encode("latin-1"), {}, "city is"),
    "too long": (values(city="x" * (3 << 20)), {}, "the line is longer than 1048576 bytes; lines"),
}


@pytest.mark.parametrize("broken", BROKEN_LINES)
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_broken_line(tmp_path, broken, suffix):
    line, options, problem = BROKEN_LINES[broken]
    lines = [text.encode() for text in good_lines()]
    lines[LINE - 1] = line if isinstance(line, bytes) else line.encode()
    data = b"\n".join(lines) + b"\n"
    path = tmp_path / f"log.{suffix}"
    path.write_bytes(gzip.compress(data) if suffix == "csv.gz" else data)
    message = refused(tmp_path, path, options)
    assert message.startswith(f"{path}:{LINE}: {problem}")


def test_a_broken_line_after_values_with_line_ends(tmp_path):
    rows = [",".join(map(quoted, row.values())) for row in good_rows()]
    lines = "\n".join([",".join(NAMES), *rows]).split("\n")
    line = lines.index(",".join(map(quoted, good_rows()[100].values()))) + 1
    lines[line - 1] = lines[line - 1].replace("u2", "u2,")
    (tmp_path / "log.csv").write_text("\n".join(lines))
    message = refused(tmp_path, tmp_path / "log.csv", {})
    assert message.startswith(f"{tmp_path}/log.csv:{line}: expected 6 values, found 7; the line is")


HEADER = ",".join(NAMES)


def csv_bytes(header=HEADER, rows=None, line_end="\n"):
    lines = [header, *(good_lines()[1:] if rows is None else rows)]
    return line_end.join(lines).encode()


BROKEN_FILES = {
    "empty": ("csv", b"", {}, "LOG: the file is empty; get the file again, or remove it"),
    "a header alone": ("csv", csv_bytes(rows=[]), {}, "LOG: the file has no rows; get the file"),
    "no header": (
        "csv",
        csv_bytes("1,u1,Rome,2.5,2024-01-01,test"),
        {},
        "none of the columns 1, u1",
    ),
    "a name twice": (
        "csv",
        csv_bytes("click,user,city,price,when,user"),
        {},
        "LOG:1: column 'user' occurs twice; rename one",
    ),
    "a name that is not UTF-8": (
        "csv",
        csv_bytes().replace(b"city", "città".encode("latin-1")),
        {},
        "LOG:1: the header is not in UTF-8; give encoding=, or convert it",
    ),
    "another delimiter": (
        "csv",
        csv_bytes().replace(b",", b";"),
        {},
        "LOG:1: the header is one column, 'click;user;city;price;when;fold'; give the character "
        "between columns with delimiter=';'",
    ),
    "UTF-16": (
        "csv",
        csv_bytes().decode().encode("utf-16"),
        {},
        "LOG: the file is not text in UTF-8; get the file again, or convert it to UTF-8",
    ),
    "lines that end in carriage returns": (
        "csv",
        csv_bytes(line_end="\r"),
        {},
        "LOG:1: a carriage return is within the line; lines end in",
    ),
    "a compressed file without its suffix": (
        "csv",
        gzip.compress(csv_bytes()),
        {},
        "LOG: the file is not text but gzip; give it a name that ends in .gz",
    ),
    "a zip file": ("csv", b"PK\x03\x04", {}, "LOG: the file is not text but zip; unpack it"),
    "Parquet called CSV": ("csv", b"PAR1", {}, "LOG: the file is not text but Parquet; store it"),
    "a compressed file cut off": (
        "csv.gz",
        gzip.compress(csv_bytes())[:-200],
        {},
        "LOG: the gzip file is cut off or damaged",
    ),
    "a plain file called compressed": (
        "csv.gz",
        csv_bytes(),
        {},
        "LOG: the gzip file is cut off or damaged",
    ),
    "CSV called Parquet": ("parquet", csv_bytes(), {}, "LOG: no Parquet file, or cut off or dama"),
    "a spreadsheet": ("xlsx", b"PK", {}, "LOG: a log is text files (.csv, .tsv, .txt), JSON"),
    "a JSON array": ("json", b'[{"click": 1}]', {}, "LOG: a JSON array; write one record per line"),
}


@pytest.mark.parametrize("broken", BROKEN_FILES)
def test_a_broken_file(tmp_path, broken):
    suffix, data, options, problem = BROKEN_FILES[broken]
    path = tmp_path / f"log.{suffix}"
    path.write_bytes(data)
    message = refused(tmp_path, path, options)
    assert message.startswith(problem.replace("LOG", str(path)))


BROKEN_PARTS = {
    "another order": (
        "user,click,city,price,when,fold",
        None,
        ":1: the header must be click, use",
    ),
    "a name too few": (
        "click,user,city,price,when",
        None,
        ":1: the header must be click, user",
    ),
    "no rows": (HEADER, [], ": the file has no rows; get the file again, or remove it"),
}


@pytest.mark.parametrize("broken", BROKEN_PARTS)
def test_a_broken_part(tmp_path, broken):
    header, rows, problem = BROKEN_PARTS[broken]
    parts = [tmp_path / "0.csv", tmp_path / "1.csv"]
    parts[0].write_bytes(csv_bytes())
    parts[1].write_bytes(csv_bytes(header, rows))
    assert refused(tmp_path, parts, {}).startswith(f"{parts[1]}{problem}")


def record(**changed):
    return json.dumps(good_rows()[LINE - 1] | changed)


BROKEN_RECORDS = {
    "cut off": (record()[:-9], {}, "not a record ("),
    "no record": ("click", {}, "not a record (Expecting value, character 1); each line holds"),
    "a list": ("[1, 2]", {}, "not a record; each line holds one, such as {"),
    "two records": (record() + record(), {}, "not a record (Extra data, character "),
    "an empty line": ("", {}, "not a record (Expecting value, character "),
    "a text for a number": (record(price="abc"), {}, 'price is "abc"; its first values are of the'),
    "a number for a text": (record(user=5), {}, "user is 5; its first values are of the kind text"),
    "a record for a value": (record(city={"name": "Rome"}), {}, 'city is {"name": "Rome"}; its fi'),
    "a list for a value": (record(city=["Rome"]), {}, 'city is ["Rome"]; its first values are of'),
    "no label": (record(click=None), {}, "click is None; a label is '0' or '1'"),
    "a third label": (record(click=2), {}, "click is 2; a label is '0' or '1'"),
    "too large": (
        record().replace("15.0", "1e999"),
        {},
        "JSON parse error: Number too big to be stored in double; each line holds one",
    ),
    "no such day": (record(when="2024-02-30"), {}, "when is '2024-02-30'; expected a date as 2024"),
    "no time": (record(when=None), TIME, "when is None; a split by time needs a date as 2024"),
}


@pytest.mark.parametrize("broken", BROKEN_RECORDS)
def test_a_broken_record(tmp_path, broken):
    line, options, problem = BROKEN_RECORDS[broken]
    lines = list(map(json.dumps, good_rows()))
    lines[LINE - 1] = line
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines))
    message = refused(tmp_path, path, options)
    assert message.startswith(f"{path}:{LINE}: {problem}")


BROKEN_VALUES = {
    "no label": ("click", None, {}, "click is None; a label is '0' or '1'"),
    "a third label": ("click", 2, {}, "click is 2; a label is '0' or '1'"),
    "infinity": ("price", float("inf"), {}, "price is inf; a number must be finite, leave it"),
    "no time": ("when", None, TIME, "when is None; a split by time needs a date as 2024"),
    "no such day": ("when", "2024-02-30", {}, "when is '2024-02-30'; expected a date as 2024"),
    "no such split": ("fold", "dev", FOLD, "fold is 'dev'; a row's split must be exactly train"),
    "digits lost": (
        "price",
        2.0**60,
        {"categorical": ["price"], "numerical": [], "split": "group:price"},
        "price is 1.152921504606847e+18; a float is exact only up to 2^53",
    ),
}


@pytest.mark.parametrize("broken", BROKEN_VALUES)
@pytest.mark.parametrize("form", ["parquet", "table"])
def test_a_broken_value(tmp_path, broken, form):
    column, value, options, problem = BROKEN_VALUES[broken]
    rows = good_rows()
    rows[LINE - 1][column] = value
    log, path = pa.Table.from_pylist(rows), "the table"
    if form == "parquet":
        path = tmp_path / "log.parquet"
        pq.write_table(log, path, row_group_size=25)
        log = path
    assert refused(tmp_path, log, options).startswith(f"{path}:{LINE}: {problem}")


def test_broken_parquet_parts(tmp_path):
    parts = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    table = pa.Table.from_pylist(good_rows())
    pq.write_table(table, parts[0])
    pq.write_table(table.drop_columns(["city"]), parts[1])
    message = refused(tmp_path, parts, {})
    assert message.startswith(f"{parts[1]}: the file has no column 'city'; all parts of a log need")
    nested = table.drop_columns(["city"]).append_column("city", pa.array([["Rome"]] * 120))
    pq.write_table(nested, parts[1])
    message = refused(tmp_path, parts, {})
    assert message.startswith(f"{parts[1]}: column 'city' of type list")
    pq.write_table(table, parts[1])
    parts[1].write_bytes(parts[1].read_bytes()[:-100])
    assert refused(tmp_path, parts, {}).startswith(f"{parts[1]}: no Parquet file, or cut off or")


def test_a_line_is_counted_whatever_values_lie_above_it(tmp_path):
    rows = good_rows()
    rows[LINE]["price"] = "inf"
    lines = [",".join(NAMES), *(",".join(map(quoted, row.values())) for row in rows)]
    (tmp_path / "clicks.csv").write_text("\n".join([*lines, ""]))
    line = 1 + "\n".join(lines[: LINE + 1]).count("\n") + 1
    assert line > LINE + 20  # cities of several lines
    message = refused(tmp_path, tmp_path / "clicks.csv", {})
    assert message.startswith(
        f"{tmp_path}/clicks.csv:{line}: price is inf; a number must be finite"
    )
