"""Tables as Markdown, for pages and for the terminal, and what stands in their cells."""

from collections.abc import Iterable, Sequence
from typing import Any


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], numeric: bool = True
) -> str:
    """Returns a table.

    Args:
        header: Titles of the columns.
        rows: The cells, row by row.
        numeric: Whether all columns but the first hold numbers, which are aligned to the right.

    Example:

    >>> print(markdown_table(["model", "AUC"], [["FM", 0.97]]), end="")
    | model | AUC |
    | --- | ---: |
    | FM | 0.97 |
    """
    rule = ["---", *["---:" if numeric else "---"] * (len(header) - 1)]
    lines = [header, rule, *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def spread(value: dict[str, float], digits: int = 4) -> str:
    """Returns mean ± standard deviation."""
    return f"{value['mean']:,.{digits}f} ± {value['std']:,.{digits}f}"


def pair(figures: Sequence[float] | None) -> str:
    """Returns an AUC and a logloss, or a dash."""
    return f"{figures[0]:.4f} / {figures[1]:.4f}" if figures else "–"


def interval(difference: dict[str, float | None] | None, digits: int = 4) -> str:
    """Returns a difference and its confidence interval, or a dash."""
    if difference is None:
        return "–"
    if difference["low"] is None:
        return f"{difference['mean']:+.{digits}f}"
    mean, low, high = (f"{difference[name]:+.{digits}f}" for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
