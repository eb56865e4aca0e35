"""Files that are either complete or not there."""

import contextlib
import json
import os
import pathlib
import tempfile


@contextlib.contextmanager
def atomic_write(path):
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
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming_errors(path):
    """Lets an error of writing a file, say of a full disk, name it as one of opening it does."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def write_json(path, data):
    """Writes indented JSON to `path`, all of it or nothing."""
    with atomic_write(path) as file:
        file.write((json.dumps(data, indent=2) + "\n").encode())


def read_json(path):
    """Returns the data of a JSON file."""
    return json.loads(pathlib.Path(path).read_text())


def _umask():
    # The only way to read the mask is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
