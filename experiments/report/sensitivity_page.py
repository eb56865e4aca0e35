"""What the page says of Figures 3 and 4: AUC and logloss against one hyperparameter."""

from matplotlib.figure import Figure

from experiments.common.markdown import interval, spread
from experiments.common.published import BEST
from experiments.common.results import read_results
from experiments.common.statistics import paired_difference
from experiments.report.blocks import BLUE, GREY, ORANGE, picture, without_frame
from experiments.report.cells import TEST_SCORES, Summary, data_of, table, title_of, written


def sensitivity(name: str, label: str) -> list[Summary]:
    """Returns what the page says of a figure, without a summary of its program nothing.

    Args:
        name: Name of the figure and its program, such as `"figure_3"`.
        label: What the hyperparameter is called.
    """
    summaries = read_results(f"{name}/*/summary.json")
    if not summaries:
        return []
    rows = [
        {"data": title_of(data), "value": point[summary["flag"]], "lead": lead, **point}
        for data, summary in summaries.items()
        for point, lead in zip(summary["points"], leads_over_own(summary), strict=True)
    ]
    columns = {
        "data": "{data}",
        label: "{value}",
        **TEST_SCORES,
        "AUC less Table 2's": "{lead}",
        "validation AUC": lambda row: spread(row["validation"]["auc"]),
        "parameters": "{parameters:,}",
        "s an epoch": "{seconds_per_epoch[mean]:.1f}",
    }
    command = f"python -m experiments.paper.{name}"
    notes = [
        f"{title_of(data)}: {data_of(s)}. {written(s, command)}" for data, s in summaries.items()
    ]
    figure = sensitivity_figure(summaries, name, label)
    found = {
        "title": title_of(name),
        "label": label,
        "preset": next(iter(summaries.values()))["preset"],
        "notes": " ".join(notes),
        "picture": picture(figure, name, f"AUC and logloss by {label}"),
        "scores": table(columns, rows),
    }
    return [found]


def leads_over_own(summary: Summary) -> list[str]:
    """Returns how much each point's AUC exceeds that of the preset's own value, paired by seed."""
    aucs = {
        point[summary["flag"]]: [run["test"]["auc"] for run in point["runs"]]
        for point in summary["points"]
    }
    own = aucs.get(summary["own"])
    return [
        interval(paired_difference(values, own) if own and value != summary["own"] else None)
        for value, values in aucs.items()
    ]


def sensitivity_figure(summaries: dict[str, Summary], name: str, label: str) -> Figure:
    """Draws AUC and logloss against a hyperparameter, two panels for each data set's summary.

    A dotted line stands at the value that is best in the paper; a generated log has none.
    """
    figure = Figure(figsize=(4.6 * len(summaries), 4.6), layout="constrained")
    panels = figure.subplots(2, len(summaries), sharex="col", squeeze=False).T  # (data, metric)
    for (upper, lower), (data, summary) in zip(panels, summaries.items(), strict=True):
        points = summary["points"]
        values = [point[summary["flag"]] for point in points]
        _draw(upper, values, points, "auc", "AUC", BLUE)
        _draw(lower, values, points, "logloss", "logloss", ORANGE)
        if best := BEST[name].get(data):
            upper.axvline(best, color=GREY, linestyle=":", zorder=0)
            lower.axvline(best, color=GREY, linestyle=":", zorder=0)
        lower.set_xticks(values)
        lower.set_xlabel(label)
        upper.set_title(f"{title_of(data)}, {len(points[0]['seeds'])} seeds")
    return figure


def _draw(axis, values, points, metric, label, colour):
    """Draws a metric's means and error bars."""
    found = [point["test"][metric] for point in points]
    means, errors = ([value[kind] for value in found] for kind in ("mean", "std"))
    axis.errorbar(values, means, errors, fmt="o-", color=colour, capsize=3)
    axis.set_ylabel(label)
    axis.ticklabel_format(useOffset=False)
    without_frame(axis)
