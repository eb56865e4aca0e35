"""Fills the templates of `pages/`: Markdown with marks for figures, tables and pictures.

`{rows:,}` is a value in Python's own format; `FORMS` are more formats, as in `{seeds:list}`.
The part from `<!-- each runs -->` to `<!-- end runs -->` is repeated for each of `runs`, which
are dictionaries of more values; that from `<!-- if runs, cases -->` to `<!-- end runs, cases -->`
stands there once if there are any.
"""

import itertools
import pathlib
import re
import string
from typing import Any

from experiments.common.markdown import interval, spread
from experiments.report.blocks import Block, Picture, Table
from experiments.report.cells import data_of, written
from experiments.report.grid_cells import measured

PAGES = pathlib.Path(__file__).parent / "pages"
PART = re.compile(r"<!-- (each|if) ([\w, ]+) -->\n(.*?)<!-- end \2 -->\n", re.DOTALL)
FORMS = {
    "list": lambda values: ", ".join(map(str, values)),
    "count": lambda values: str(len(values)),
    "spread": spread,
    "interval": interval,
    "data": data_of,
    "written": written,  # and the command, as in `{summary:written make reproduce}`
    "measured": measured,  # and the flags, as in `{groups:measured --grid=scaling}`
}


class Filler(string.Formatter):
    """Fills marks, and keeps tables and pictures aside until the text is cut into blocks."""

    def __init__(self):
        self.held: list[Table | Picture] = []

    def fill(self, text: str, values: dict[str, Any]) -> str:
        """Returns a text whose parts are repeated, or left out, and whose marks are filled."""
        # What stands between parts, and of each part its kind, names and text.
        cut = iter(PART.split(text))
        filled = self.vformat(next(cut), (), values)
        for kind, names, part, after in zip(cut, cut, cut, cut, strict=True):
            found = [values[name] for name in names.split(", ") if values[name]]
            rounds = itertools.chain(*found) if kind == "each" else [{}] if found else []
            filled += "".join(self.fill(part, {**values, **each}) for each in rounds)
            filled += self.vformat(after, (), values)
        return filled

    def format_field(self, value: Any, format_spec: str) -> str:
        """Returns the text in the place of a mark."""
        if isinstance(value, Table | Picture):
            self.held.append(value)
            return f"\0{len(self.held) - 1}"
        name, *argument = format_spec.split(" ", 1)
        if name in FORMS:
            return FORMS[name](value, *argument)
        return super().format_field(value, format_spec)


def fill(template: str, **values: Any) -> list[Block]:
    """Returns the blocks of a page: the paragraphs, tables and pictures of its filled template.

    Args:
        template: Name of a file in `pages/`.
        **values: What stands in its marks. A missing one is an error.
    """
    filler = Filler()
    text = filler.fill((PAGES / template).read_text(), values)
    paragraphs = filter(None, map(str.strip, re.split(r"\n\s*\n", text)))
    return [filler.held[int(p[1:])] if p[0] == "\0" else _unwrapped(p) for p in paragraphs]


def _unwrapped(paragraph):
    """Joins the lines of a paragraph; the points of a list keep a line each."""
    return re.sub(r"\s*\n(?!- )\s*", " ", paragraph)
