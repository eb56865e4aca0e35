"""Where the parts of a heat map lie, and what its labels say."""

import dataclasses
import textwrap
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from matplotlib.textpath import TextPath

from interhat_tf.utils.short_text import shortened

FONT_SIZE = 9
LONGEST_VALUE = 23

# Lengths in inches: pictures of different data sets have the same cells, text and margins.
CELL_HEIGHT = 0.38
WIDEST_CELL, NARROWEST_CELL, CELLS_WIDTH = 0.52, 0.16, 13.0
CELL_WITH_NUMBER = 0.3
FLAT_LABEL, TITLE_LINE, LABEL_GAP = 0.14, 0.19, 0.08
GAP = 0.1
LEFT_MARGIN, RIGHT_MARGIN, NARROWEST_PICTURE = 0.75, 0.25, 4.5
COLOUR_BAR_WIDTH, COLOUR_BAR_HEIGHT, COLOUR_BAR_BOTTOM, FOOTER = 2.6, 0.11, 0.34, 0.7


@dataclasses.dataclass(frozen=True)
class Labels:
    """A row of labels above the cells; its height in inches, of text and the gap below it."""

    texts: list[str]
    rotation: int = 0
    height: float = 0.0


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where everything lies; lengths in inches."""

    width: float
    height: float
    panels_bottom: float
    panels_height: float
    fields_left: float
    fields_width: float
    cell_width: float
    rows_below: int
    names: Labels
    values: Labels
    title: str

    def box(
        self, left: float, bottom: float, width: float, height: float
    ) -> tuple[float, float, float, float]:
        """Returns a rectangle as Matplotlib takes it, in shares of the picture."""
        return left / self.width, bottom / self.height, width / self.width, height / self.height

    def row_below(self, number: int) -> tuple[float, float, float, float]:
        """Returns the rectangle of a row below the orders, of which 0 is the first, -1 the last."""
        rows_under = -1 - number if number < 0 else self.rows_below - 1 - number
        bottom = FOOTER + rows_under * (CELL_HEIGHT + GAP)
        return self.box(self.fields_left, bottom, self.fields_width, CELL_HEIGHT)


def layout_of(
    field_names: Collection[str],
    values: Sequence[Any] | np.ndarray,
    title: str | None,
    orders: int,
    rows_below: int,
) -> Layout:
    """Computes the layout of a picture.

    Args:
        field_names: Names of the fields.
        values: The record's value of each field, or none at all.
        title: Title of the picture; it is wrapped to its width.
        orders: Number of orders.
        rows_below: Number of rows below the orders.
    """
    cell_width = float(np.clip(CELLS_WIDTH / len(field_names), NARROWEST_CELL, WIDEST_CELL))
    fields_left = LEFT_MARGIN + WIDEST_CELL + GAP
    fields_width = len(field_names) * cell_width
    width = max(fields_left + fields_width + RIGHT_MARGIN, NARROWEST_PICTURE)
    name_labels = _labels([plain(name) for name in field_names], cell_width)
    value_labels = _labels(
        [plain(shortened(str(value), LONGEST_VALUE)) for value in values], cell_width
    )
    characters = int((width - LEFT_MARGIN) * 72 / (0.65 * FONT_SIZE))
    title = textwrap.fill(plain(title), characters) if title else ""
    title_height = (title.count("\n") + 1) * TITLE_LINE + LABEL_GAP if title else 0
    header = name_labels.height + value_labels.height + title_height + GAP
    panels_bottom = FOOTER + rows_below * (CELL_HEIGHT + GAP)
    panels_height = orders * CELL_HEIGHT
    return Layout(
        width=width,
        height=header + panels_height + panels_bottom,
        panels_bottom=panels_bottom,
        panels_height=panels_height,
        fields_left=fields_left,
        fields_width=fields_width,
        cell_width=cell_width,
        rows_below=rows_below,
        names=name_labels,
        values=value_labels,
        title=title,
    )


def _labels(texts: list[str], cell_width: float) -> Labels:
    """Lays labels flat if the widest fits its cell, and upright otherwise."""
    # Blanks, of which there may be many kinds, have no outline.
    visible = [
        text
        for text in texts
        if any(unicodedata.category(letter)[0] not in "ZC" for letter in text)
    ]
    if not visible:
        return Labels(texts)
    # The outline's control points bound the text.
    widest = max(
        TextPath((0, 0), text, size=FONT_SIZE).vertices[:, 0].max() / 72 for text in visible
    )
    rotation, height = (90, widest) if widest > 0.9 * cell_width else (0, FLAT_LABEL)
    return Labels(texts, rotation, height + LABEL_GAP)


def plain(text: str) -> str:
    r"""Keeps Matplotlib from reading what stands between two dollar signs as a formula.

    >>> print(plain("$1 to $2"))
    \$1 to \$2
    """
    return text.replace("$", r"\$")
