"""Fills the templates of `pages/`: Markdown with marks for figures, tables and pictures.

The marks are Jinja2's: `{{ rows | number(",") }}` is a value in Python's own format, and
`FILTERS` are more formats. A paragraph that is a table or a picture becomes that block.
"""

import re
from typing import Any

from experiments.common.markdown import interval, spread
from experiments.report.blocks import PAGES, Block, Picture, Table
from experiments.report.cells import all_written, data_of, written
from experiments.report.grid_cells import measured

FILTERS = {
    "number": format,
    "spread": spread,
    "interval": interval,
    "data": data_of,
    "written": written,  # with the command, as in `summary | written("make reproduce")`
    "all_written": all_written,  # of several summaries
    "measured": measured,  # with the flags, as in `groups | measured("--grid=scaling")`
}
PAGES.filters |= FILTERS


def fill(template: str, **values: Any) -> list[Block]:
    """Returns the blocks of a page: the paragraphs, tables and pictures of its filled template.

    Args:
        template: Name of a file in `pages/`.
        **values: What stands in its marks. A missing one is an error.
    """
    held: list[Table | Picture] = []

    def hold(value):
        """Keeps tables and pictures aside until the text is cut into blocks."""
        if not isinstance(value, Table | Picture):
            return value
        held.append(value)
        return f"\0{len(held) - 1}"

    text = PAGES.overlay(finalize=hold).get_template(template).render(values)
    paragraphs = filter(None, map(str.strip, re.split(r"\n\s*\n", text)))
    return [held[int(p[1:])] if p[0] == "\0" else _unwrapped(p) for p in paragraphs]


def _unwrapped(paragraph):
    """Joins the lines of a paragraph; the points of a list keep a line each."""
    return re.sub(r"\s*\n(?!- )\s*", " ", paragraph)
