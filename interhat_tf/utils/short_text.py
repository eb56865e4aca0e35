"""Texts that may be of any length, where a reader sees them."""


def shortened(text: str, characters: int = 50) -> str:
    """Returns a text, cut off where it has more characters.

    Example:

    >>> shortened("maps", 4), shortened("mail box", 4)
    ('maps', 'mail…')
    """
    return text if len(text) <= characters else f"{text[:characters]}…"
