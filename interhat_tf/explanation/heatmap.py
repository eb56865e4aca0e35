"""Heat maps of attention, in the layout of the paper's Figures 5 to 10."""

import os
from collections.abc import Collection, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from interhat_tf.errors import SettingError
from interhat_tf.explanation.heatmap_layout import (
    CELL_WITH_NUMBER,
    COLOUR_BAR_BOTTOM,
    COLOUR_BAR_HEIGHT,
    COLOUR_BAR_WIDTH,
    FONT_SIZE,
    GAP,
    LEFT_MARGIN,
    WIDEST_CELL,
    Layout,
    layout_of,
    plain,
)
from interhat_tf.utils.files import atomic_write

COLOUR_MAP = "Blues"
"""Darker is larger, as in Figures 5 to 7; a single hue, so colour-blind eyes and print keep it."""

EFFECT_MAP = "PuOr_r"
"""Orange raises the click probability, violet lowers it; white does neither."""

PALE_EFFECT = 0.5
"""The least effect on the logit that may have the darkest colour."""

HIGHLIGHT_COLOUR = "#d55e00"
TICKS = (0, 0.05, 0.25, 0.5, 1)
CELL_FONT_SIZE = 7.5


class AttentionWeights(Protocol):
    """What a heat map shows, such as an `Attention`."""

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of the m fields."""

    @property
    def field_weights(self) -> np.ndarray:
        """alpha_1 ... alpha_k, (k, m)."""

    @property
    def order_weights(self) -> np.ndarray:
        """alpha_f, (k,)."""


def attention_heatmap(
    attention: AttentionWeights,
    *,
    title: str | None = None,
    values: Sequence[Any] | np.ndarray | None = None,
    highlight: Collection[str] = (),
    effects: Sequence[float] | np.ndarray | None = None,
    marks: Sequence[bool] | np.ndarray | None = None,
    marks_label: str = "raw",
) -> Figure:
    """Draws the attention weights of a record, or their mean over records, as a heat map.

    Rows are the orders and columns the fields, with alpha_i in the cells. The
    single column on the left is alpha_f, the weight of each order. All pictures
    have one scale from 0 to 1, so that they can be compared; darker is larger. A
    colour follows the square root of its weight: small weights differ too.

    Args:
        attention: What is drawn: an `Attention`, or any object with its
            `field_names`, m of them, `field_weights`, (k, m), and
            `order_weights`, (k,).
        title: Title of the picture; long ones are wrapped. Defaults to none.
        values: The record's own value of each field, shown under the field
            names; long ones are cut. Defaults to none.
        highlight: Names of fields to frame, say those of a planted rule.
        effects: m numbers, what each field adds to the logit, shown with their signs
            in a row below the orders. Their colours are relative to the largest; where
            that is below 0.5, to 0.5, so that what does nothing is pale. Defaults to none.
        marks: m booleans, shown as black and white cells in the last row; in
            Figures 5 to 7 the genres that the movie has. Defaults to none.
        marks_label: What that row is called. Defaults to `"raw"`.

    Returns:
        A `matplotlib.figure.Figure` that pyplot does not know of; a notebook
        shows it after `%matplotlib inline`.

    Raises:
        ValueError: If the shapes do not fit each other, or a highlighted field is
            unknown.
    """
    field_weights = np.asarray(attention.field_weights)  # (k, m)
    order_weights = np.asarray(attention.order_weights)  # (k,)
    columns = {name: column for column, name in enumerate(attention.field_names)}
    k, m = len(order_weights), len(columns)
    if field_weights.shape != (k, m):
        raise SettingError(
            f"{k} orders and {m} fields need field weights of shape ({k}, {m}), "
            f"got {field_weights.shape}"
        )
    for what, given in (("values", values), ("effects", effects), ("marks", marks)):
        if given is not None and len(given) != m:
            raise SettingError(f"there are {m} fields but {len(given)} {what}")
    if unknown := sorted(set(highlight) - set(columns)):
        raise SettingError(f"unknown fields to highlight: {', '.join(unknown)}")

    rows_below = (effects is not None) + (marks is not None)
    layout = layout_of(columns, [] if values is None else values, title, k, rows_below)
    figure = Figure(figsize=(layout.width, layout.height))
    scale = PowerNorm(0.5, 0, 1)
    _draw_orders(figure, layout, order_weights, scale)
    fields = _draw_fields(figure, layout, field_weights, scale)
    _frame_fields(fields, [columns[name] for name in highlight], k)
    if effects is not None:
        _draw_effects(figure, layout, np.asarray(effects))
    if marks is not None:
        _draw_marks(figure, layout, marks, marks_label)
    _draw_colour_bar(figure, layout, fields.images[0])
    _draw_title(figure, layout)
    return figure


def save_heatmap(figure: Figure, path: str | os.PathLike) -> None:
    """Writes a heat map as a .png file, the same bytes for the same picture; folders are made."""
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120, metadata={"Software": None})


def _draw_orders(figure: Figure, layout: Layout, weights: np.ndarray, scale: Normalize) -> None:
    axes = _draw_panel(figure, layout, LEFT_MARGIN, weights[:, np.newaxis], WIDEST_CELL, scale)
    axes.set_yticks(range(len(weights)), [_ordinal(i) for i in range(1, len(weights) + 1)])
    axes.set_ylabel("order", fontsize=FONT_SIZE)
    axes.set_xticks([0], [r"$\alpha_f$"])


def _draw_fields(figure: Figure, layout: Layout, weights: np.ndarray, scale: Normalize) -> Axes:
    names, values = layout.names, layout.values
    axes = _draw_panel(figure, layout, layout.fields_left, weights, layout.cell_width, scale)
    axes.set_yticks([])
    axes.set_xticks(range(len(names.texts)), names.texts, rotation=names.rotation)
    axes.tick_params(axis="x", pad=3 + 72 * values.height)
    for column, value in enumerate(values.texts):
        axes.annotate(
            value,
            (column, 1),
            (0, 4),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            rotation=values.rotation,
            ha="center",
            va="bottom",
            fontsize=FONT_SIZE - 1,
            color="0.35",
        )
    return axes


def _draw_panel(
    figure: Figure,
    layout: Layout,
    left: float,
    weights: np.ndarray,
    cell_width: float,
    scale: Normalize,
) -> Axes:
    rows, columns = weights.shape
    box = layout.box(left, layout.panels_bottom, columns * cell_width, layout.panels_height)
    axes = figure.add_axes(box)
    image = axes.imshow(weights, cmap=COLOUR_MAP, norm=scale, aspect="auto")
    if cell_width >= CELL_WITH_NUMBER:
        _print_numbers(axes, image)
    _rule_cells(axes, rows, columns)
    axes.tick_params(axis="x", bottom=False, labelbottom=False, labeltop=True)
    return axes


def _print_numbers(axes: Axes, image: AxesImage, number: str = ".2f") -> None:
    for (row, column), value in np.ndenumerate(image.get_array()):
        red, green, blue, _ = image.to_rgba(value)
        light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        axes.text(
            column,
            row,
            f"{value:{number}}",
            ha="center",
            va="center",
            fontsize=CELL_FONT_SIZE,
            color="black" if light else "white",
        )


def _rule_cells(axes: Axes, rows: int, columns: int) -> None:
    axes.set_xticks(np.arange(columns - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="0.85", linewidth=0.8)
    axes.tick_params(which="both", length=0, labelsize=FONT_SIZE)
    axes.spines[:].set(color="0.85", linewidth=0.8)


def _frame_fields(axes: Axes, columns: list[int], orders: int) -> None:
    for column in columns:
        frame = Rectangle(
            (column - 0.5, -0.5),
            1,
            orders,
            fill=False,
            edgecolor=HIGHLIGHT_COLOUR,
            linewidth=2,
            clip_on=False,
            zorder=3,
        )
        axes.add_patch(frame)
        axes.get_xticklabels()[column].set_color(HIGHLIGHT_COLOUR)


def _draw_effects(figure: Figure, layout: Layout, effects: np.ndarray) -> None:
    axes = figure.add_axes(layout.row_below(0))
    largest = max(float(np.abs(effects).max()), PALE_EFFECT)
    scale = Normalize(-largest, largest)
    image = axes.imshow(effects[np.newaxis], cmap=EFFECT_MAP, norm=scale, aspect="auto")
    if layout.cell_width >= CELL_WITH_NUMBER:
        _print_numbers(axes, image, "+.1f")
    _rule_cells(axes, 1, len(effects))
    axes.set_xticks([])
    axes.set_yticks([0], ["effect"])


def _draw_marks(
    figure: Figure, layout: Layout, marks: Sequence[bool] | np.ndarray, label: str
) -> None:
    axes = figure.add_axes(layout.row_below(-1))
    axes.imshow([np.asarray(marks, bool)], cmap="Greys", vmin=0, vmax=1, aspect="auto")
    _rule_cells(axes, 1, len(marks))
    axes.set_xticks([])
    axes.set_yticks([0], [plain(label)])


def _draw_colour_bar(figure: Figure, layout: Layout, image: AxesImage) -> None:
    box = layout.box(LEFT_MARGIN, COLOUR_BAR_BOTTOM, COLOUR_BAR_WIDTH, COLOUR_BAR_HEIGHT)
    colour_bar = figure.colorbar(
        image,
        cax=figure.add_axes(box),
        orientation="horizontal",
        ticks=TICKS,
    )
    colour_bar.ax.tick_params(labelsize=FONT_SIZE - 1, length=2, pad=2)
    colour_bar.ax.set_xticklabels([f"{tick:g}" for tick in TICKS])
    legend = "attention weight; darker is larger"
    colour_bar.ax.set_title(legend, fontsize=FONT_SIZE - 1, pad=3)


def _draw_title(figure: Figure, layout: Layout) -> None:
    left, top = LEFT_MARGIN / layout.width, 1 - GAP / layout.height
    figure.text(left, top, layout.title, ha="left", va="top", fontsize=FONT_SIZE + 1)


def _ordinal(number: int) -> str:
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"
