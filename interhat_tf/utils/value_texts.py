"""The values of a multivalued field as readers see them."""

from collections.abc import Sequence
from typing import Self


class ValueTexts(str):
    """A record's values of a multivalued field as one text, which knows its parts.

    Args:
        parts: The values as text, in the record's order.

    Example:

    >>> genres = ValueTexts(["Comedy", "Drama"])
    >>> genres, genres.parts
    ('Comedy, Drama', ('Comedy', 'Drama'))
    """

    parts: tuple[str, ...]

    def __new__(cls, parts: Sequence[str]) -> Self:
        """Returns the text of the parts."""
        text = super().__new__(cls, ", ".join(parts))
        text.parts = tuple(parts)
        return text

    def __getnewargs__(self) -> tuple[tuple[str, ...]]:  # type: ignore[override]
        """Returns what a pickled one is made of again."""
        return (self.parts,)
