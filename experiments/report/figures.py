"""Figures 2, 3 and 4 of the paper, and one of speed, drawn from the experiments' summaries."""

import io

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from experiments.common.published import TITLES

# Okabe and Ito's colours, which colour-blind eyes tell apart.
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#6b7280"
FONT = {"font.size": 9, "svg.fonttype": "path", "svg.hashsalt": "interhat_tf"}


def efficiency_figure(summaries):
    """Draws Figure 2: a bar of seconds an epoch for each model, a panel for each data set.

    Args:
        summaries: Dictionary from a data set's name to its summary of `experiments.paper.figure_2`.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure = Figure(figsize=(4.6 * len(summaries), 3.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(summaries)))
    for panel, (name, summary) in zip(panels, summaries.items(), strict=True):
        rows = sorted(
            summary["models"].items(), key=lambda row: row[1]["seconds_per_epoch"]["mean"]
        )
        seconds = [row["seconds_per_epoch"] for _, row in rows]
        means = [value["mean"] for value in seconds]
        colours = [BLUE if model.startswith("interhat") else GREY for model, _ in rows]
        places = range(len(rows))
        panel.barh(places, means, xerr=[s["std"] for s in seconds], color=colours, ecolor="black")
        panel.set_yticks(places, [efficiency_title(model) for model, _ in rows])
        panel.invert_yaxis()
        panel.set_xscale("log")
        for place, value in zip(places, seconds, strict=True):
            end = value["mean"] + value["std"], place
            panel.annotate(
                f"{value['mean']:,.0f}", end, (4, 0), textcoords="offset points", va="center"
            )
        panel.set_xlim(min(means) / 2, max(means) * 3)
        panel.set_title(name.capitalize())
        panel.set_xlabel("seconds an epoch, logarithmic")
        _plain(panel)
    return figure


def efficiency_title(model):
    """Returns what the figure calls a model of `experiments.paper.figure_2`."""
    if model == "interhat_paper":
        return "InterHAt, paper"
    return f"{TITLES[model]}, released" if model == "interhat" else TITLES[model]


def sensitivity_figure(summaries, label):
    """Draws Figure 3 or 4: AUC and logloss against a hyperparameter, a panel for each data set.

    Args:
        summaries: Dictionary from a data set's title to its summary of
            `experiments.paper.sensitivity`.
        label: What the hyperparameter is called.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure = Figure(figsize=(4.6 * len(summaries), 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(summaries)))
    for panel, (title, summary) in zip(panels, summaries.items(), strict=True):
        flag, points = summary["flag"], summary["points"]
        values = [point[flag] for point in points]
        other = panel.twinx()
        # A little apart, so that the error bars of the two do not hide each other.
        apart = (max(values) - min(values)) / 150
        axes = (("auc", panel, BLUE, "o-", -apart), ("logloss", other, ORANGE, "s--", apart))
        for metric, axis, colour, style, shift in axes:
            found = [point["test"][metric] for point in points]
            axis.errorbar(
                [value + shift for value in values],
                [value["mean"] for value in found],
                [value["std"] for value in found],
                fmt=style,
                color=colour,
                capsize=3,
            )
            name = {"auc": "AUC, solid", "logloss": "logloss, dashed"}[metric]
            axis.set_ylabel(name, color=colour)
            axis.tick_params(axis="y", colors=colour)
            axis.ticklabel_format(useOffset=False)
            axis.spines["top"].set_visible(False)
        panel.set_xticks(values)
        panel.set_xlabel(label)
        panel.set_title(f"{title}, {len(points[0]['seeds'])} seeds")
    return figure


def scaling_figure(axes, title):
    """Draws rows a second against what a step grows with, a panel for each axis.

    Args:
        axes: `axes` of a summary of `experiments.speed.scaling`.
        title: A function from a model's name to what the legend calls it.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure = Figure(figsize=(8.4, 2.6 * -(-len(axes) // 3)), layout="constrained")
    panels = figure.subplots(-(-len(axes) // 3), 3, squeeze=False).ravel()
    for panel in panels[len(axes) :]:
        panel.remove()
    for panel, (axis, models) in zip(panels, axes.items(), strict=False):
        for (model, found), style, colour in zip(
            models.items(), ("o-", "s--"), (BLUE, ORANGE), strict=False
        ):
            values = [row["value"] for row in found["rows"]]
            # Over orders the time is what the paper says is linear.
            rates = [
                row["seconds_per_step"]["mean"] * 1e3 if axis == "order" else row["rows_per_second"]
                for row in found["rows"]
            ]
            panel.plot(values, rates, style, color=colour, label=title(model))
        panel.set_ylabel("ms a step" if axis == "order" else "rows/s")
        panel.set_xlabel(
            {"order": "highest order k", "batch": "records of a batch"}.get(axis, axis)
        )
        panel.set_ylim(0, 1.05 * panel.get_ylim()[1])
        if max(values) > 20 * min(values):
            panel.set_xscale("log")
            panel.minorticks_off()
            names = [f"{v / 1000:,.0f}K" if v > 10_000 else f"{v:,}" for v in values]
            panel.set_xticks(values, names, fontsize=7)
        if len(models) > 1:
            panel.legend(frameon=False, fontsize=7)
        _plain(panel)
    return figure


def as_bytes(figure, form):
    """Returns a figure's picture, `"png"` or `"svg"`; the same figure gives the same bytes."""
    picture = io.BytesIO()
    # A date in the file would make every drawing a new one.
    dateless = {"metadata": {"Date": None}} if form == "svg" else {}
    with rc_context(FONT):
        figure.savefig(picture, format=form, dpi=150, **dateless)
    return picture.getvalue()


def _plain(panel):
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
