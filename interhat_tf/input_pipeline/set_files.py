"""The files of a prepared set, opened and read: which of them is damaged is said."""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence

import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

from interhat_tf.errors import DamagedFileError
from interhat_tf.utils.files import what_is_wrong

METADATA = "metadata.json"

FILES = ("dataset_info.json", "features.json", METADATA)


def open_builder(folder: str | os.PathLike) -> tfds.core.DatasetBuilder:
    """Returns the tfds builder of a prepared set.

    Args:
        folder: The set's folder, down to the version.

    Raises:
        DamagedFileError: If a file is damaged or missing. The message names it.
    """
    with naming_damaged_json(folder, FILES[0]):
        return tfds.builder_from_directory(folder)


@contextlib.contextmanager
def naming_damaged_json(folder: str | os.PathLike, file: str = METADATA) -> Iterator[None]:
    """Makes an error in what a set's JSON files hold one that names the file.

    Args:
        folder: The set's folder.
        file: The one that it is in, if all are JSON. Defaults to `METADATA`.

    Raises:
        DamagedFileError: If anything goes wrong: there are many ways to be damaged.
    """
    try:
        yield
    except Exception as error:
        path, problem = _damaged_json(epath.Path(folder), file, error)
        raise DamagedFileError(
            f"{path} is damaged ({problem}); remove the folder and prepare the set again"
        ) from error


def _damaged_json(folder: epath.Path, file: str, error: Exception) -> tuple[epath.Path, str]:
    """Returns the first file that does not hold a JSON object, or else the given one; and why."""
    for path in (folder / name for name in FILES):
        if not path.exists():
            return path, "it is missing"
        try:
            data = json.loads(path.read_text())
        except ValueError as damage:
            return path, what_is_wrong(damage)
        if not isinstance(data, dict):
            return path, f"it holds a {type(data).__name__}, not a JSON object"
    return folder / file, what_is_wrong(error)


@contextlib.contextmanager
def naming_damaged_records(paths: Sequence[str]) -> Iterator[None]:
    """Makes an error of reading records one that names the file.

    Args:
        paths: TFRecord files that are read meanwhile.

    Raises:
        DamagedFileError: If one of them is damaged or missing.
    """
    try:
        yield
    except tf.errors.OpError as error:
        for path in paths:
            try:
                for _ in tf.data.TFRecordDataset(path):
                    pass
            except tf.errors.OpError:
                raise DamagedFileError(
                    f"{path}: the file is missing, cut off or damaged; remove the set's folder "
                    f"and prepare it again"
                ) from error
        raise
