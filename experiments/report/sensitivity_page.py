"""The page's part on Figures 3 and 4: AUC and logloss against one hyperparameter."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.common.markdown import spread
from experiments.report.pages import BLUE, ORANGE, Section, Table, data_of, picture, written

Summary = dict[str, Any]


def sensitivity(summaries: dict[str, Summary], title: str, name: str, label: str) -> list[Section]:
    """Returns the section of a figure, none without summaries.

    Args:
        summaries: Dictionary from a data set's name to its summary of
            `experiments.paper.sensitivity`.
        title: The section's title.
        name: Name of the figure's file and program, such as `"figure_3"`.
        label: What the hyperparameter is called.
    """
    if not summaries:
        return []
    titles = {data.replace("_", " ").capitalize(): s for data, s in summaries.items()}
    rows = [
        [
            data,
            str(point[summary["flag"]]),
            spread(point["test"]["auc"]),
            spread(point["test"]["logloss"]),
            spread(point["validation"]["auc"]),
            f"{point['parameters']:,}",
            f"{point['seconds_per_epoch']['mean']:.1f}",
        ]
        for data, summary in titles.items()
        for point in summary["points"]
    ]
    header = ["data", label, "test AUC", "test logloss", "validation AUC", "parameters"]
    header += ["s an epoch"]
    command = f"python -m experiments.paper.{name}"
    notes = " ".join(f"{data}: {data_of(s)}. {written(s, command)}" for data, s in titles.items())
    preset = next(iter(summaries.values()))["preset"]
    about = (
        f"InterHAt, `{preset}`, with the settings of the paper's Table 2 except for the {label}. "
        f"Error bars are standard deviations over seeds. {notes}"
    )
    figure = picture(sensitivity_figure(titles, label), name, f"AUC and logloss by {label}")
    return [Section(title, [about, figure, Table(header, rows)])]


def sensitivity_figure(summaries: dict[str, Summary], label: str) -> Figure:
    """Draws AUC and logloss against a hyperparameter, a panel for each data set.

    Args:
        summaries: Dictionary from a data set's title to its summary of
            `experiments.paper.sensitivity`.
        label: What the hyperparameter is called.
    """
    figure = Figure(figsize=(4.6 * len(summaries), 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(summaries)))
    for panel, (title, summary) in zip(panels, summaries.items(), strict=True):
        points = summary["points"]
        values = np.array([point[summary["flag"]] for point in points])
        # A little apart, so that the error bars of the two do not hide each other.
        apart = (values.max() - values.min()) / 150
        _draw(panel, values - apart, points, "auc", "AUC, solid", BLUE, "o-")
        _draw(panel.twinx(), values + apart, points, "logloss", "logloss, dashed", ORANGE, "s--")
        panel.set_xticks(values)
        panel.set_xlabel(label)
        panel.set_title(f"{title}, {len(points[0]['seeds'])} seeds")
    return figure


def _draw(axis, values, points, metric, label, colour, style):
    """Draws a metric's means and error bars."""
    found = [point["test"][metric] for point in points]
    means, errors = ([value[kind] for value in found] for kind in ("mean", "std"))
    axis.errorbar(values, means, errors, fmt=style, color=colour, capsize=3)
    axis.set_ylabel(label, color=colour)
    axis.tick_params(axis="y", colors=colour)
    axis.ticklabel_format(useOffset=False)
    axis.spines["top"].set_visible(False)
