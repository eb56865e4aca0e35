"""Tables that are Markdown, and aligned for those who read them as they are."""

from collections.abc import Collection, Iterable, Sequence


def aligned_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Collection[str] = ()
) -> str:
    r"""Returns a table.

    Args:
        header: Titles of the columns.
        rows: The cells, row by row.
        numeric: Titles of the columns that are aligned to the right. Defaults to none.

    Example:

    >>> print(aligned_table(["run", "auc"], [["one", "0.9"], ["a|b", "0.85"]], ["auc"]))
    | run  |  auc |
    | ---- | ---: |
    | one  |  0.9 |
    | a\|b | 0.85 |
    """
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (header, *rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    right = [name in numeric for name in header]
    rule = ["-" * (w - 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        )
        + " |"
        for cells in (lines[0], rule, *lines[1:])
    )
