"""Records of a text file whose values, in double quotes, may hold line ends."""

import csv

import numpy as np


def record_ends(data: bytes, delimiter: str) -> np.ndarray:
    r"""Returns the position after each whole record.

    A line goes on in the next one if it ends within double quotes. Only a line with
    an odd number of them can; and in `5" screen`, where no value begins with it, a
    quote is a character like any other.

    Args:
        data: The bytes of some lines, the first of which begins a record.
        delimiter: The character between two values.

    Example:

    >>> record_ends(b'1,"a\nb"\n0,5" tv\n1,"a', ",")
    array([ 8, 16])
    """
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(array == ord("\n")) + 1
    if b'"' not in data or not len(ends):
        return ends
    # The running count may wrap round, at an even number.
    quotes = np.cumsum(array == ord('"'), dtype=np.uint8)[ends - 1]
    odd = np.flatnonzero(np.diff(quotes, prepend=np.uint8(0)) % 2)
    whole, begun = np.ones(len(ends), bool), None
    for line in odd:
        if begun is not None:  # this line closes what that one began
            whole[begun:line] = False
            begun = None
        elif _ends_within_quotes(data[ends[line - 1] if line else 0 : ends[line]], delimiter):
            begun = line
    if begun is not None:
        whole[begun:] = False
    return ends[whole]


def rows_of_more_lines(data: bytes, ends: np.ndarray) -> tuple[int, ...]:
    """Returns the records that hold a line end, in order, each once for every such.

    Args:
        data: The bytes of some records.
        ends: The position after each of them.
    """
    if data.count(b"\n") <= len(ends):
        return ()
    lines = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    rows = np.searchsorted(ends, lines)
    return tuple(rows[ends[rows] != lines].tolist())


def _ends_within_quotes(line: bytes, delimiter: str) -> bool:
    """Returns whether a line ends within a value in double quotes, as `csv` reads it."""
    values = next(csv.reader([line.decode("latin-1")], delimiter=delimiter))
    return values[-1].endswith("\n")
