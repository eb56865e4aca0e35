"""The parts of a growing log: which files are in a prepared set already, and which are new."""

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etils import epath


@dataclasses.dataclass(frozen=True)
class Part:
    """A file of a log, as it was when its rows were read.

    Args:
        path: The file.
        size: Its number of bytes.
        modified: When it was last written to, in nanoseconds where the file system has them.
            `None`, in sets of an earlier version, is not known.
        digest: SHA-256 of its bytes; `None` as well.
    """

    path: str
    size: int
    modified: int | None = None
    digest: str | None = None


def describe_parts(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Returns a `Part` for each file, as JSON has it; reads the files once."""
    return [
        dataclasses.asdict(Part(path, _size(path), _modified(path), _digest(path)))
        for path in paths
    ]


def new_parts(paths: Sequence[str], known: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    r"""Returns those of a log's files whose rows are not in a set yet.

    A file that has kept its name, its size and its time is taken for what it was;
    another one is read to compare digests. So is a file under another name that
    has the size of a known one: it may have been moved.

    Args:
        paths: The log's files.
        known: The set's parts, as `describe_parts` gave them.
        name: The set's name, for messages.

    Raises:
        ValueError: If a file has changed since the set was prepared, or none is new.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     days = [pathlib.Path(folder, f"day{number}.csv") for number in (1, 2)]
    ...     _ = [day.write_text(f"click,app\n1,{day.stem}\n") for day in days]
    ...     known = describe_parts([str(days[0])])
    ...     [pathlib.Path(path).name for path in new_parts(list(map(str, days)), known, "day1")]
    ['day2.csv']
    """
    parts = {part.path: part for part in (Part(**config) for config in known)}
    digests = {part.digest for part in parts.values() if part.digest}
    sizes = {part.size for part in parts.values()}
    new = []
    for path in paths:
        if path in parts:
            _check_unchanged(parts[path], name)
        elif _size(path) not in sizes or _digest(path) not in digests:
            new.append(path)
    if not new:
        raise ValueError(f"{', '.join(paths)}: every file is in the set {name} already")
    return new


def _check_unchanged(part: Part, name: str) -> None:
    size = _size(part.path)
    if size == part.size:
        if part.digest is None or _modified(part.path) == part.modified:
            return
        if _digest(part.path) == part.digest:
            return
    raise ValueError(
        f"{part.path} has changed since {name} was prepared from it ({part.size:,} bytes then, "
        f"{size:,} now); bring the file back and put new rows into a file of their own, or "
        f"prepare the whole log as a new set, without grow="
    )


def _size(path: str) -> int:
    return epath.Path(path).stat().length


def _modified(path: str) -> int:
    # Whole seconds are all that `epath` tells.
    return int(epath.Path(path).stat().mtime) if "://" in path else os.stat(path).st_mtime_ns


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with epath.Path(path).open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
