"""Errors that a user can cause and mend, one type for each kind.

Each is an `InterhatError`, and a built-in error as well, so that `except ValueError` finds it:

    try:
        data = interhat_tf.prepare_click_log("ads.csv")
    except interhat_tf.errors.DataError as error:
        print(error)  # ads.csv:61: price is 'abc'; expected a number, or nothing

A message is one line, which names the file, the line or the field, and says what to do. A file
that is not there, or is already, is Python's own FileNotFoundError or FileExistsError.
"""

import contextlib
import errno
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import ClassVar


class InterhatError(Exception):
    """An error that a user of the package can mend."""

    exit_status: ClassVar[int] = 1
    """With what status a program ends."""


class SettingError(InterhatError, ValueError):
    """An argument, a flag or a setting is not one, or does not go with another."""

    exit_status = 2
    __init__ = Exception.__init__  # by which TensorFlow knows what it may raise again from a graph


class DataError(InterhatError, ValueError):
    """A log, a prepared set or a record is not as it has to be, or not the model's."""

    exit_status = 3


class DamagedFileError(InterhatError, ValueError):
    """A file that this package has written is damaged: a model, a checkpoint, a prepared set."""

    exit_status = 4


class KernelError(InterhatError, RuntimeError):
    """The CPU kernels cannot be built, or their library cannot be loaded."""


class FullDiskError(InterhatError, OSError):
    """A file could not be written: the disk is full, or what the user may use of it."""

    exit_status = 5


_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full_disk(error: OSError) -> bool:
    """Returns whether an error of the system says that there is no room for a file."""
    return error.errno in _FULL


@contextlib.contextmanager
def ending_programs(debug: bool = False) -> Iterator[None]:
    """Ends a program on an error that a user can mend: with one line, and the kind's status.

    Errors of other kinds than `ValueError` and `OSError` are faults of the code, and pass.

    Args:
        debug: Whether the error's traceback is shown before the line. Defaults to `False`.

    Raises:
        SystemExit: With the `exit_status` of the error's kind, 5 for a full disk of any
            kind, 130 if the user has interrupted the program, otherwise 1.

    Example:

    >>> with contextlib.redirect_stderr(sys.stdout), ending_programs():
    ...     raise SettingError("order must be at least 1, got 0")
    Traceback (most recent call last):
    SystemExit: 2
    """
    try:
        yield
    except (InterhatError, ValueError, OSError, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exception(error)
        interrupted = isinstance(error, KeyboardInterrupt)
        print("error:", "interrupted" if interrupted else _one_line(error), file=sys.stderr)
        sys.exit(128 + signal.SIGINT if interrupted else _status(error))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _status(error: BaseException) -> int:
    if isinstance(error, InterhatError):
        return error.exit_status
    full = isinstance(error, OSError) and is_full_disk(error)
    return FullDiskError.exit_status if full else InterhatError.exit_status
