"""The ways in which an entry damages a file; several come in the order of `CHANGES`."""

import gzip
import io
import json
import os
import pathlib
import shutil
import zipfile
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def _line(content: bytes, change: list) -> bytes:
    """`line = [number, text]`: another line, the first being 1."""
    number, text = change
    lines = content.split(b"\n")
    lines[number - 1] = text.encode()
    return b"\n".join(lines)


def _replace(content: bytes, change: list) -> bytes:
    """`replace = [text, other]`: wherever it stands."""
    old, new = (text.encode() for text in change)
    assert old in content
    return content.replace(old, new)


def _set(content: bytes, change: dict[str, Any]) -> bytes:
    """`set = { "a.b" = value }`: an entry of JSON, at the end of its path."""
    data = json.loads(content)
    for path, value in change.items():
        at, key = _find(data, path)
        at[key] = value
    return json.dumps(data).encode()


def _drop(content: bytes, path: str) -> bytes:
    """`drop = "a.b"`: an entry of JSON is not there."""
    data = json.loads(content)
    at, key = _find(data, path)
    del at[key]
    return json.dumps(data).encode()


def _null(content: bytes, path: str) -> bytes:
    """`null = "a.b"`: an entry of JSON is null."""
    return _set(content, {path: None})


def _find(data, path):
    *folders, key = (int(part) if part.isdigit() else part for part in path.split("."))
    for folder in folders:
        data = data[folder]
    return data, key


def _cell(content: bytes, change: list) -> bytes:
    """`cell = [row, column, value]` of a Parquet file; without a value it is empty."""
    row, column, *value = change
    rows = pq.read_table(io.BytesIO(content)).to_pylist()
    rows[row][column] = value[0] if value else None
    return _parquet(pa.Table.from_pylist(rows))


def _columns(content: bytes, change: dict[str, Any]) -> bytes:
    """`columns = { name = value }` of a Parquet file: all rows have it; `""` drops the column."""
    table = pq.read_table(io.BytesIO(content))
    for name, value in change.items():
        table = table.drop_columns([name]) if name in table.column_names else table
        if value != "":
            table = table.append_column(name, pa.array([value] * len(table)))
    return _parquet(table)


def _parquet(table):
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=50)
    return file.getvalue()


def _keep(content: bytes, share: float) -> bytes:
    """`keep = 0.5`: the first half alone."""
    return content[: int(share * len(content))]


def _flip(content: bytes, share: float) -> bytes:
    """`flip = 0.5`: the bits of the byte in the middle."""
    at = int(share * (len(content) - 1))
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


CHANGES: dict[str, Callable[[bytes, Any], bytes]] = {
    "content": lambda content, text: text.encode(),
    "hex": lambda content, digits: bytes.fromhex(digits),
    "line": _line,
    "replace": _replace,
    "set": _set,
    "drop": _drop,
    "null": _null,
    "cell": _cell,
    "columns": _columns,
    "encode": lambda content, encoding: content.decode().encode(encoding),
    "append": lambda content, text: content + text.encode(),
    "append_hex": lambda content, digits: content + bytes.fromhex(digits),
    "keep": _keep,
    "flip": _flip,
}


def _in_member(content: bytes, member: str, change: Callable[[bytes], bytes | None]) -> bytes:
    """Changes a member of a zip file, which `.keras` and `.npz` files are; `None` removes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        assert member in old.namelist(), old.namelist()
        for name in old.namelist():
            found = change(old.read(name)) if name == member else old.read(name)
            if found is not None:
                new.writestr(name, found)
    return file.getvalue()


def damage(path: pathlib.Path, entry: dict[str, Any]) -> None:
    """Damages a file as an entry says.

    Beside the changes of its content, `member` names the member of a zip file that they are
    of, `inside` that they are of what gzip has packed, `no_member` a member that goes; and
    `make = "folder"`, `"nothing"`, `"link"`, `"pipe"` puts such a thing in the file's place.
    """
    if made := entry.get("make"):
        path.unlink(missing_ok=True)
        {
            "nothing": lambda: None,
            "folder": path.mkdir,
            "link": lambda: path.symlink_to(path),
            "pipe": lambda: os.mkfifo(path),
        }[made]()
        return
    if other := entry.get("copy"):
        shutil.copy(path.parent / other, path)
    content = path.read_bytes() if path.exists() else b""

    def change(content: bytes) -> bytes:
        for name, apply in CHANGES.items():
            if name in entry:
                content = apply(content, entry[name])
        return content

    if gone := entry.get("no_member"):
        content = _in_member(content, gone, lambda _: None)
    if member := entry.get("member"):
        content = _in_member(content, member, change)
    elif entry.get("inside"):
        content = gzip.compress(change(gzip.decompress(content)), mtime=0)
    else:
        content = change(content)
    path.write_bytes(content)
