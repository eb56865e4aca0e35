"""The files of a raw log: where they lie, and how a plain or compressed one is opened."""

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
import tensorflow_datasets as tfds
from etils import epath

from interhat_tf.errors import DataError

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


def manual_folder(dl_manager: tfds.download.DownloadManager) -> epath.Path:
    """Returns the folder of the original files, which need not exist, or the file that was given.

    Args:
        dl_manager: The `tfds.download.DownloadManager` of a builder.
    """
    try:
        return dl_manager.manual_dir
    # No folder, an empty one, a file, or a log that needs none.
    except (AssertionError, NotADirectoryError, ValueError):
        return epath.Path(getattr(dl_manager, "_manual_dir", None) or "<manual_dir>")


def log_files(folder: str | os.PathLike, names: Sequence[str], source: str) -> list[str]:
    """Finds a log that the user has to get by hand.

    It is a file that has one of the names, plain or compressed (`NAME.gz`,
    `NAME.zst`), or a folder of that name with the log in parts. Parts are
    taken in the order of their names, without hidden files and those that
    start with `_`, which Spark adds.

    Args:
        folder: The folder of the original files, which may be the folder of
            parts itself, or the path of a file, which then has any name.
        names: Names the log may have; the first one found is used.
        source: Where the log comes from, for the message.

    Returns:
        The paths of its files, in order.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    root = epath.Path(folder)
    if root.is_file():
        check_file(root)
        return [str(root)]
    found = [root / f"{name}{suffix}" for name in names for suffix in ("", *COMPRESSIONS)]
    if root.name in names:
        found.append(root)
    for path in found:
        if path.is_dir():
            if parts := part_files(path):
                return list(map(str, parts))
        elif path.exists():
            check_file(path)
            return [str(path)]
    raise FileNotFoundError(
        f"{root / names[0]} is missing: get it from {source} and store it as "
        f"{' or '.join(names)}, plain or compressed (.gz, .zst), in the original files' folder"
    )


def part_files(folder: epath.Path) -> list[epath.Path]:
    """Returns a folder's files by name, without hidden ones and those that start with `_`.

    Raises:
        ValueError: If there is a folder among them, or what is no file, as a link to nothing.
    """
    parts = sorted(path for path in folder.iterdir() if path.name[0] not in "._")
    for path in parts:
        check_file(path)
    return parts


def check_file(path: epath.Path) -> None:
    """Checks that a part of a log is a file.

    Raises:
        ValueError: If it is a folder, a link to nothing, a pipe.
    """
    # For `epath` a pipe, which would be read for ever, is a file.
    if not (path.is_file() if "://" in str(path) else os.path.isfile(path)):
        what = "a folder" if path.is_dir() else "no file, or a link to none"
        raise DataError(
            f"{path} is {what}; a folder of parts holds files alone: remove it, or give a list of "
            f"the log's files and folders"
        )


def file_sizes(paths: Sequence[str]) -> list[list[str | int]]:
    """Returns the path and the number of bytes of each file."""
    return [[path, epath.Path(path).stat().length] for path in paths]


def is_compressed(path: str | os.PathLike) -> bool:
    """Returns whether a file's name says that it is compressed."""
    return epath.Path(path).suffix in COMPRESSIONS


@contextlib.contextmanager
def open_content(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Opens a file's content, decompressed, for reading.

    Args:
        path: The file.

    Yields:
        A binary file.

    Raises:
        ValueError: If a compressed file is cut off or damaged. The message
            names it.
    """
    with epath.Path(path).open("rb") as file:
        if not is_compressed(path):
            yield file
            return
        compression = COMPRESSIONS[epath.Path(path).suffix]
        try:
            with io.BufferedReader(pa.input_stream(file, compression=compression)) as stream:
                yield stream
        except OSError as error:
            problem = str(error).splitlines()[0]
            raise DataError(
                f"{path}: the {compression} file is cut off or damaged ({problem}); "
                f"get the file again"
            ) from error
