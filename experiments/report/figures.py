"""Figure 2 of the paper, and one of speed, drawn from the experiments' summaries."""

import numpy as np
from matplotlib.figure import Figure

from experiments.common.published import TITLES
from experiments.report.pages import BLUE, GREY, ORANGE, Section, Table, picture, without_frame


def figure_2(summaries):
    """Returns the section of Figure 2."""
    if not summaries:
        return []
    figure = efficiency_figure(summaries)
    rows = []
    for name, summary in summaries.items():
        base = summary["models"]["interhat"]["seconds_per_epoch"]["mean"]
        for model, row in summary["models"].items():
            seconds = row["seconds_per_epoch"]
            layers = {f: v for f, v in row["arguments"].items() if not f.endswith("_l2")}
            rows.append(
                [
                    name.capitalize(),
                    efficiency_title(model),
                    f"{seconds['mean']:,.0f} ± {seconds['std']:,.0f}",
                    f"{seconds['mean'] / base:.2f}",
                    f"{row['rows_per_second']:,.0f}",
                    f"{row['parameters']:,}",
                    ", ".join(f"{flag} {value}" for flag, value in layers.items()),
                ]
            )
    header = ["data", "model", "s an epoch", "of InterHAt's", "rows/s", "parameters", "built with"]
    abouts = [
        f"{name.capitalize()}'s sizes: {s['sizes']['fields']} fields, "
        f"{s['sizes']['features']:,} features, batches of {s['sizes']['batch_size']:,}, "
        f"{s['sizes']['epoch_rows']:,} rows an epoch, of which {s['sizes']['rounds']} times "
        f"{s['sizes']['steps']} steps were timed; {s['device']}, {s['date']}."
        for name, s in summaries.items()
    ]
    return [
        Section(
            "Figure 2: seconds an epoch",
            [
                "All models in one process, in turn, on the same embedding, optimizer and loop. "
                + " ".join(abouts)
                + " Written by `python -m experiments.paper.figure_2 --size=criteo` and `avazu`.",
                picture(figure, "figure_2", "Bars: seconds an epoch of each model"),
                Table(header, rows, fold="Figure 2's numbers, and the sizes of the models"),
            ],
        )
    ]


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
        without_frame(panel)
    return figure


def efficiency_title(model):
    """Returns what the figure calls a model of `experiments.paper.figure_2`."""
    if model == "interhat_paper":
        return "InterHAt, paper"
    return f"{TITLES[model]}, released" if model == "interhat" else TITLES[model]


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
        without_frame(panel)
    return figure
