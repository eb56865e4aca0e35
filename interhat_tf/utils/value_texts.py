"""The values of a field of several values as readers see them."""

from collections.abc import Sequence
from typing import Self

MANY_PARTS = 8
"""More values than this are not shown in one text."""
SHOWN_PARTS = 3


class ValueTexts(str):
    """A record's values of a field of several values as one text, which knows its parts.

    Args:
        parts: The values as text, in the record's order.

    Example:

    >>> genres = ValueTexts(["Comedy", "Drama"])
    >>> genres, genres.parts
    ('Comedy, Drama', ('Comedy', 'Drama'))
    >>> ValueTexts([f"movie {number}" for number in range(50)]).short()
    '…, movie 47, movie 48, movie 49'
    """

    parts: tuple[str, ...]

    def __new__(cls, parts: Sequence[str]) -> Self:
        """Returns the text of the parts."""
        text = super().__new__(cls, ", ".join(parts))
        text.parts = tuple(parts)
        return text

    def short(self) -> str:
        """Returns the text, or its last parts if they are many: of a history, the latest."""
        if len(self.parts) <= MANY_PARTS:
            return str(self)
        return f"…, {', '.join(self.parts[-SHOWN_PARTS:])}"

    def __getnewargs__(self) -> tuple[tuple[str, ...]]:  # type: ignore[override]
        """Returns what a pickled one is made of again."""
        return (self.parts,)
