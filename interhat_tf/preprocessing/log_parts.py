"""The files of a log: what they held when a set was prepared, and which of them are new."""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from etils import epath

from interhat_tf.errors import DataError


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
    with describing_parts(paths) as parts:
        return [dataclasses.asdict(part) for part in parts()]


@contextlib.contextmanager
def describing_parts(paths: Sequence[str]) -> Iterator[Callable[[], list[Part]]]:
    """Computes the digests of a log's files while they are read for something else.

    Args:
        paths: The files. One on object storage gets no digest.

    Yields:
        A function that waits for the digests and returns a `Part` for each file.
    """
    found = [Part(path, _size(path), _modified(path)) for path in paths]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        digests = [pool.submit(_digest, path) for path in paths]

        def parts() -> list[Part]:
            return [
                dataclasses.replace(part, digest=digest.result())
                for part, digest in zip(found, digests, strict=True)
            ]

        try:
            yield parts
        finally:
            pool.shutdown(cancel_futures=True)


def check_unwritten(parts: Iterable[Part]) -> None:
    """Checks that no file was written to since it was described.

    Raises:
        ValueError: If one was. The message names it.
    """
    for part in parts:
        if (_size(part.path), _modified(part.path)) != (part.size, part.modified):
            raise DataError(f"{part.path}: the file has changed while it was read; start again")


def have_changed(paths: Sequence[str], parts: Sequence[Mapping[str, Any]]) -> bool:
    r"""Returns whether a log's files hold something else than a set's parts did.

    Names and places do not matter. Sets of an earlier version have no digests; their
    parts count as unchanged. The files are read.

    Args:
        paths: The log's files.
        parts: The set's own parts, as `describe_parts` gave them.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = pathlib.Path(folder, "log.csv")
    ...     _ = log.write_text("click,app\n1,maps\n")
    ...     known = describe_parts([str(log)])
    ...     _ = log.write_text("click,app\n0,maps\n")
    ...     have_changed([str(log)], known)
    True
    """
    known = [Part(**part) for part in parts]
    if not known or any(part.digest is None for part in known):
        return False
    return len(paths) != len(known) or any(map(_differs, paths, known))


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
        raise DataError(f"{', '.join(paths)}: every file is in the set {name} already")
    return new


def _check_unchanged(part: Part, name: str) -> None:
    size = _size(part.path)
    if size == part.size:
        if part.digest is None or _modified(part.path) == part.modified:
            return
        if not _differs(part.path, part):
            return
    raise DataError(
        f"{part.path} has changed since {name} was prepared from it ({part.size:,} bytes then, "
        f"{size:,} now); bring the file back and put new rows into a file of their own, or "
        f"prepare the whole log as a new set, without grow="
    )


def _size(path: str) -> int:
    return epath.Path(path).stat().length


def _modified(path: str) -> int:
    # Whole seconds are all that `epath` tells.
    return int(epath.Path(path).stat().mtime) if "://" in path else os.stat(path).st_mtime_ns


def _differs(path: str, part: Part) -> bool:
    return _size(path) != part.size or _digest(path) != part.digest


def _digest(path: str) -> str | None:
    if "://" in path:  # all of it would have to come to this machine
        return None
    digest = hashlib.sha256()
    with epath.Path(path).open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
