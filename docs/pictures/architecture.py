"""Draws README's picture of the model, with the two kinds of attention weights marked.

    python docs/pictures/architecture.py

Written beside this file, `architecture.png`. The numbers in it are an example's.
"""

import pathlib

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

OUTPUT = pathlib.Path(__file__).with_suffix(".png")

FIELD_COLOUR, ORDER_COLOUR = "#c2540a", "#1b5faa"
LINE, FILL, TEXT = "#4b5563", "#eef1f5", "#111827"

RECORD = ("user = u17", "app = maps", "price = 0.25")
FIELD_WEIGHTS = ((0.15, 0.75, 0.10), (0.50, 0.45, 0.05), (0.30, 0.40, 0.30))
ORDER_WEIGHTS = (0.20, 0.70, 0.10)

# Where the orders' rows stand, and the columns from left to right.
ROWS = (4.6, 2.7, 0.8)
EMBEDDINGS, SELF_ATTENTION, FEATURES, WEIGHTS, POOLED, OUTPUT_X = 2.75, 4.05, 6.5, 8.35, 10.4, 12.1
CELL = 0.3


def main():
    figure, axes = plt.subplots(figsize=(13.4, 6), dpi=110)
    axes.set(xlim=(-0.1, 15.1), ylim=(-0.2, 6.0))
    axes.axis("off")
    draw_inputs(axes)
    for order in range(3):
        draw_order(axes, order)
    draw_output(axes)
    figure.savefig(OUTPUT, bbox_inches="tight", pad_inches=0.08, facecolor="white")
    print(OUTPUT)


def draw_inputs(axes):
    """Draws the record, its embeddings and the self-attention between them."""
    heading(axes, 0.95, "record")
    heading(axes, EMBEDDINGS + 0.3, "embeddings")
    for text, y in zip(RECORD, (3.6, 2.7, 1.8), strict=True):
        box(axes, 0, y - 0.28, 1.9, 0.56, text)
        arrow(axes, (1.92, y), (EMBEDDINGS - 0.05, y))
        vector(axes, EMBEDDINGS, y)
        arrow(axes, (EMBEDDINGS + 0.65, y), (SELF_ATTENTION - 0.02, y))
    box(axes, SELF_ATTENTION, 1.3, 1.75, 2.8, "multi-head\nself-\nattention\nbetween\nfields")


def draw_order(axes, order):
    """Draws one order's features X_i, their weights alpha_i and what these pool, u_i."""
    y, number = ROWS[order], order + 1
    if order == 0:
        # Self-attention gives the features of the first order.
        arrow(axes, (SELF_ATTENTION + 1.77, 3.6), (FEATURES - 0.08, y))
        heading(axes, FEATURES + 0.3, "features")
        heading(axes, WEIGHTS + 0.5, "field weights", FIELD_COLOUR)
        heading(axes, POOLED + 0.3, "pooled")
    for field in range(3):
        top = y + 0.42 - 0.42 * field
        vector(axes, FEATURES, top)
        weight_bar(axes, WEIGHTS, top, FIELD_WEIGHTS[order][field], FIELD_COLOUR)
    label(axes, FEATURES - 0.12, y - 0.84, f"$X_{number}$", left=True)
    arrow(axes, (FEATURES + 0.68, y), (WEIGHTS - 0.1, y))
    label(axes, WEIGHTS + 1.5, y + 0.3, rf"$\alpha_{number}$", FIELD_COLOUR)
    arrow(axes, (WEIGHTS + 1.1, y), (POOLED - 0.08, y))
    vector(axes, POOLED, y)
    label(axes, POOLED + 0.3, y - 0.42, f"$u_{number}$")
    arrow(axes, (POOLED + 0.66, y), (OUTPUT_X - 0.12, 2.7 + 0.42 - 0.42 * order))
    if order < 2:
        below = ROWS[order + 1] + 0.65
        arrow(axes, (FEATURES + 0.3, y - 0.62), (FEATURES + 0.3, below))
        text = rf"$X_{number + 1} = u_{number} \odot X_1 + X_{number}$"
        label(axes, FEATURES + 0.5, (y - 0.62 + below) / 2, text, left=True, size=12.5)


def draw_output(axes):
    """Draws the attention over orders, the MLP and the probability."""
    for order, weight in enumerate(ORDER_WEIGHTS):
        weight_bar(axes, OUTPUT_X, 2.7 + 0.42 - 0.42 * order, weight, ORDER_COLOUR)
    label(axes, OUTPUT_X + 0.5, 2.7 - 0.84, r"$\alpha_f$", ORDER_COLOUR)
    heading(axes, OUTPUT_X + 0.65, "order weights", ORDER_COLOUR)
    arrow(axes, (OUTPUT_X + 1.08, 2.7), (OUTPUT_X + 1.8, 2.7))
    label(axes, OUTPUT_X + 1.4, 3.0, "$u_f$")
    box(axes, OUTPUT_X + 1.82, 2.35, 0.9, 0.7, "MLP")
    arrow(axes, (OUTPUT_X + 2.27, 2.33), (OUTPUT_X + 2.27, 1.62))
    label(axes, OUTPUT_X + 2.27, 1.38, "click", size=14)
    label(axes, OUTPUT_X + 2.27, 1.05, "probability", size=14)


def box(axes, x, y, width, height, text):
    """Draws a rounded box with a text in its middle."""
    style = "round,pad=0,rounding_size=0.1"
    axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, fc=FILL, ec=LINE))
    axes.text(
        *(x + width / 2, y + height / 2, text), ha="center", va="center", fontsize=14, color=TEXT
    )


def vector(axes, x, y):
    """Draws a vector as three cells."""
    for cell in range(3):
        corner = (x + cell * CELL * 0.7, y - CELL / 2)
        axes.add_patch(Rectangle(corner, CELL * 0.7, CELL, fc=FILL, ec=LINE, lw=0.9))


def weight_bar(axes, x, y, weight, colour):
    """Draws a weight as a bar in a frame of length 1, with its number."""
    axes.add_patch(Rectangle((x, y - 0.13), weight, 0.26, color=colour))
    axes.add_patch(Rectangle((x, y - 0.13), 1, 0.26, fc="none", ec=LINE, lw=0.8))


def arrow(axes, start, end):
    """Draws an arrow between two points."""
    style = {"arrowstyle": "-|>", "mutation_scale": 13, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch(start, end, color=LINE, lw=1.2, **style))


def heading(axes, x, text, colour=TEXT):
    """Writes the heading of a column."""
    axes.text(x, 5.7, text, ha="center", va="center", fontsize=15, color=colour, weight="bold")


def label(axes, x, y, text, colour=TEXT, *, left=False, size=16):
    """Writes a text centred at a point, or to its right."""
    axes.text(
        *(x, y, text), ha="left" if left else "center", va="center", fontsize=size, color=colour
    )


if __name__ == "__main__":
    main()
