"""Files that are either complete or not there."""

import contextlib
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from interhat_tf.errors import DamagedFileError, FullDiskError, InterhatError, is_full_disk

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 200
"""Characters of another library's message that are shown."""


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """Opens a file for writing that appears under its name only once it is complete.

    The bytes go to a temporary file beside it, which replaces `path` when the
    block ends. If the block fails, say on a full disk, the temporary file is
    removed and whatever stood at `path` before is still there.

    Args:
        path: The file to write; its folder is made if need be.

    Yields:
        A binary file.

    Example:

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(folder + "/a.txt") as file:
    ...         _ = file.write(b"all of it")
    ...     os.listdir(folder)
    ['a.txt']
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with naming_errors(path), os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming_errors(path: str | os.PathLike) -> Iterator[None]:
    """Adds the file's name to an error of writing it, say of a full disk.

    Errors of opening a file name it already.

    Args:
        path: The file.

    Raises:
        FullDiskError: If there is no room for the file.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        if is_full_disk(error):
            raise FullDiskError(error.errno, error.strerror, error.filename) from error
        raise


def save_png(figure: "Figure", path: str | os.PathLike) -> None:
    """Writes a Matplotlib figure to a PNG file that is either complete or not there.

    Args:
        figure: The figure.
        path: The file; its folder is made if need be.
    """
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=150)


def write_json(path: str | os.PathLike, data: Any) -> None:
    """Writes indented JSON to a file that is either complete or not there.

    Args:
        path: The file; its folder is made if need be.
        data: What is written.
    """
    with atomic_write(path) as file:
        file.write((json.dumps(data, indent=2) + "\n").encode())


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """Returns the object in a JSON file.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedFileError: If the file is damaged, or holds something else. The message names it.
    """
    content = pathlib.Path(path).read_bytes()
    with naming_damage(path):
        data = json.loads(content)
        if not isinstance(data, dict):
            raise DamagedFileError(f"it holds a {type(data).__name__}, not a JSON object")
    return data


@contextlib.contextmanager
def naming_damage(
    path: str | os.PathLike, advice: str = "restore the file, or remove it"
) -> Iterator[None]:
    """Makes any error in what a file holds one that names the file.

    Args:
        path: The file.
        advice: What to do.

    Raises:
        DamagedFileError: If anything goes wrong: there are many ways to be damaged.
    """
    try:
        yield
    except Exception as error:
        raise DamagedFileError(f"{path} is damaged ({what_is_wrong(error)}); {advice}") from error


def what_is_wrong(error: Exception) -> str:
    """Returns an error in what a file holds as part of a line.

    Example:

    >>> what_is_wrong(KeyError("schema"))
    "it has no 'schema'"
    """
    text = " ".join(str(error).split())[:LONGEST] or type(error).__name__
    if isinstance(error, KeyError):
        return f"it has no {text}"
    if isinstance(error, (InterhatError, ValueError)):
        return text
    return f"{type(error).__name__}: {text}"


def _umask() -> int:
    # The only way to read the mask is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
