"""Heat maps of attention, in the layout of the paper's Figures 5 to 10."""

import textwrap

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from interhat_tf.utils.files import atomic_write

COLOUR_MAP = "Blues"
"""Darker is larger, as in Figures 5 to 7; a single hue, so colour-blind eyes and print keep it."""

HIGHLIGHT_COLOUR = "#d55e00"
FONT_SIZE = 9
CELL_FONT_SIZE = 7.5
LONGEST_VALUE = 24

# Lengths in inches: pictures of different data sets have the same cells, text and margins.
CELL_HEIGHT = 0.38
WIDEST_CELL, NARROWEST_CELL, CELLS_WIDTH = 0.52, 0.16, 13.0
CELL_WITH_NUMBER = 0.3
GAP = 0.1
LEFT_MARGIN, RIGHT_MARGIN = 0.75, 0.25
COLOUR_BAR_WIDTH, COLOUR_BAR_HEIGHT, FOOTER = 2.6, 0.11, 0.7


def attention_heatmap(
    attention, *, title=None, values=None, highlight=(), marks=None, marks_label="raw", vmax=1.0
):
    """Draws the attentions of a record, or their mean over records, as a heat map.

    Rows are the orders and columns the fields, with alpha_i in the cells. The
    single column on the left is alpha_f, the weight of each order. All colours
    are on one linear scale from 0 to `vmax`, so that pictures can be compared;
    darker is larger.

    Args:
        attention: What is drawn: an `Attention`, or any object with its
            `field_names` (m), `field_weights` (k, m) and `order_weights` (k,).
        title: Title of the picture; long ones are wrapped. Defaults to none.
        values: The record's own value of each field, shown under the field
            names; long ones are cut. Defaults to none.
        highlight: Names of fields to frame, say those of a planted rule.
        marks: m booleans, shown as black and white cells in a row below the
            orders; in Figures 5 to 7 the genres that the movie has. Defaults to
            none.
        marks_label: What that row is called. Defaults to `"raw"`.
        vmax: Weight at the dark end of the scale, up to 1. With many fields
            every weight is small, and a lower one shows the differences.
            Defaults to 1.

    Returns:
        A `matplotlib.figure.Figure` that pyplot does not know of; a notebook
        shows it after `%matplotlib inline`.

    Raises:
        ValueError: If the shapes do not fit each other, a highlighted field is
            unknown or `vmax` is not in (0, 1].
    """
    columns = {name: column for column, name in enumerate(attention.field_names)}
    names = [_plain(name) for name in columns]
    field_weights = np.asarray(attention.field_weights)
    order_weights = np.asarray(attention.order_weights)
    k, m = len(order_weights), len(names)
    if field_weights.shape != (k, m):
        raise ValueError(
            f"{k} orders and {m} fields need field weights of shape ({k}, {m}), "
            f"got {field_weights.shape}"
        )
    if values is not None and len(values) != m:
        raise ValueError(f"there are {m} fields but {len(values)} values")
    if marks is not None and len(marks) != m:
        raise ValueError(f"there are {m} fields but {len(marks)} marks")
    if unknown := sorted(set(highlight) - set(columns)):
        raise ValueError(f"fields to highlight are not there: {', '.join(unknown)}")
    if not 0 < vmax <= 1:
        raise ValueError(f"vmax must be in (0, 1], got {vmax}")

    cell = float(np.clip(CELLS_WIDTH / m, NARROWEST_CELL, WIDEST_CELL))
    fields_left = LEFT_MARGIN + WIDEST_CELL + GAP
    width = max(fields_left + m * cell + RIGHT_MARGIN, 4.5)
    values = [_plain(_shortened(value)) for value in values] if values is not None else []
    names_rotation, names_height = _header_layout(names, cell)
    values_rotation, values_height = _header_layout(values, cell)
    title_characters = int((width - LEFT_MARGIN) * 72 / (0.65 * FONT_SIZE))
    title = textwrap.fill(_plain(title), title_characters) if title else ""
    title_height = (title.count("\n") + 1) * 0.19 + 0.08 if title else 0
    header = names_height + values_height + title_height + GAP
    marks_height = CELL_HEIGHT + GAP if marks is not None else 0
    bottom = FOOTER + marks_height
    height = header + k * CELL_HEIGHT + bottom

    figure = Figure(figsize=(width, height))
    scale = Normalize(0, vmax)

    def add_panel(left, weights, cell_width):
        size = (weights.shape[1] * cell_width / width, k * CELL_HEIGHT / height)
        axes = figure.add_axes((left / width, bottom / height, *size))
        image = axes.imshow(weights, cmap=COLOUR_MAP, norm=scale, aspect="auto")
        if cell_width >= CELL_WITH_NUMBER:
            _print_numbers(axes, image)
        _rule_cells(axes, *weights.shape)
        axes.tick_params(axis="x", bottom=False, labelbottom=False, labeltop=True)
        return axes

    orders = add_panel(LEFT_MARGIN, order_weights[:, np.newaxis], WIDEST_CELL)
    orders.set_yticks(range(k), [_ordinal(i) for i in range(1, k + 1)])
    orders.set_ylabel("order", fontsize=FONT_SIZE)
    orders.set_xticks([0], [r"$\alpha_f$"])

    fields = add_panel(fields_left, field_weights, cell)
    fields.set_yticks([])
    fields.set_xticks(range(m), names, rotation=names_rotation)
    fields.tick_params(axis="x", pad=3 + 72 * values_height)
    for column, value in enumerate(values):
        fields.annotate(
            value,
            (column, 1),
            (0, 4),
            xycoords=fields.get_xaxis_transform(),
            textcoords="offset points",
            rotation=values_rotation,
            ha="center",
            va="bottom",
            fontsize=FONT_SIZE - 1,
            color="0.35",
        )
    for name in highlight:
        column = columns[name]
        fields.add_patch(
            Rectangle(
                (column - 0.5, -0.5),
                1,
                k,
                fill=False,
                edgecolor=HIGHLIGHT_COLOUR,
                linewidth=2,
                clip_on=False,
                zorder=3,
            )
        )
        fields.get_xticklabels()[column].set_color(HIGHLIGHT_COLOUR)

    if marks is not None:
        place = (fields_left / width, FOOTER / height, m * cell / width, CELL_HEIGHT / height)
        row = figure.add_axes(place)
        row.imshow([np.asarray(marks, bool)], cmap="Greys", vmin=0, vmax=1, aspect="auto")
        _rule_cells(row, 1, m)
        row.set_xticks([])
        row.set_yticks([0], [_plain(marks_label)])

    colour_bar = figure.colorbar(
        fields.images[0],
        cax=figure.add_axes(
            (
                LEFT_MARGIN / width,
                (FOOTER - 0.36) / height,
                COLOUR_BAR_WIDTH / width,
                COLOUR_BAR_HEIGHT / height,
            )
        ),
        orientation="horizontal",
        ticks=np.linspace(0, vmax, 5),
        extend="max" if max(field_weights.max(), order_weights.max()) > vmax else "neither",
    )
    colour_bar.ax.tick_params(labelsize=FONT_SIZE - 1, length=2, pad=2)
    colour_bar.ax.set_title(
        f"attention weight, 0 to {vmax:g}; darker is larger", fontsize=FONT_SIZE - 1, pad=3
    )
    figure.text(
        LEFT_MARGIN / width,
        1 - GAP / height,
        title,
        ha="left",
        va="top",
        fontsize=FONT_SIZE + 1,
    )
    return figure


def save_heatmap(figure, path):
    """Writes a heat map as a .png file, the same bytes for the same picture; folders are made."""
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120, metadata={"Software": None})


def _rule_cells(axes, rows, columns):
    axes.set_xticks(np.arange(columns - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="0.85", linewidth=0.8)
    axes.tick_params(which="both", length=0, labelsize=FONT_SIZE)
    axes.spines[:].set(color="0.85", linewidth=0.8)


def _print_numbers(axes, image):
    for (row, column), weight in np.ndenumerate(image.get_array()):
        red, green, blue, _ = image.to_rgba(weight)
        light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        axes.text(
            column,
            row,
            f"{weight:.2f}",
            ha="center",
            va="center",
            fontsize=CELL_FONT_SIZE,
            color="black" if light else "white",
        )


def _header_layout(labels, cell):
    """Rotation and height, in inches, of a row of labels above cells of a width.

    Labels lie flat if the widest fits its cell, and stand otherwise.
    """
    if not any(labels):
        return 0, 0
    # The outline's control points bound the text.
    widest = max(
        TextPath((0, 0), text, size=FONT_SIZE).vertices[:, 0].max() / 72 for text in labels if text
    )
    rotation, height = (90, widest) if widest > 0.9 * cell else (0, 0.14)
    return rotation, height + 0.08


def _shortened(value):
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _plain(text):
    """Keeps Matplotlib from reading what stands between two dollar signs as a formula."""
    return text.replace("$", r"\$")


def _ordinal(number):
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"
