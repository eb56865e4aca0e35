"""The files of a raw log: where they lie, and how a plain or compressed one is opened."""

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

from interhat_tf.errors import DataError, SettingError
from interhat_tf.utils.files import what_is_wrong

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}

STORES = {"gs": "gcsfs", "s3": "s3fs", "az": "adlfs", "hf": "huggingface_hub"}
"""Addresses in object storage that are read, and the packages by which fsspec reads them."""


def log_path(path: str | os.PathLike) -> epath.Path:
    """Returns the absolute path of a log's file or folder, or its address in object storage.

    Args:
        path: The path, or an address such as `s3://bucket/clicks.csv`.

    Raises:
        ValueError: If it is an address of another kind than `STORES`, or what reads it is not
            installed.
        FileNotFoundError: If there is nothing.

    Example:

    >>> log_path("ftp://host/clicks.csv")
    Traceback (most recent call last):
    interhat_tf.errors.SettingError: ftp://host/clicks.csv: a log is read from a disk or from \
gs://, s3://, az://, hf://; copy the file there, or mount it
    """
    check_address(path)
    if "://" in os.fspath(path):
        found = epath.Path(path)
    else:
        found = epath.Path(path).expanduser().resolve()
    if not found.exists():
        raise FileNotFoundError(
            f"{found} is missing; a set prepared earlier opens with "
            f"interhat_tf.input_pipeline.prepared_dataset"
        )
    return found


def check_address(path: str | os.PathLike) -> None:
    """Checks that a path, if it is an address in object storage, can be read from there.

    Raises:
        ValueError: If it cannot. That there is nothing is no error.
    """
    scheme, is_address, _ = os.fspath(path).partition("://")
    if not is_address:
        return
    if scheme not in STORES:
        kinds = ", ".join(f"{store}://" for store in STORES)
        raise SettingError(
            f"{path}: a log is read from a disk or from {kinds}; copy the file there, or mount it"
        )
    try:
        epath.Path(path).stat()
    except (FileNotFoundError, tf.errors.NotFoundError):  # so is a folder in some stores
        return
    except (tf.errors.UnimplementedError, ImportError) as error:
        raise SettingError(
            f"{path}: nothing here reads {scheme}://; pip install {STORES[scheme]}, and set "
            f"EPATH_USE_TF=false before the program starts"
        ) from error
    except (tf.errors.OpError, OSError) as error:
        raise DataError(f"{path}: {what_is_wrong(error)}; is the address right?") from error


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
