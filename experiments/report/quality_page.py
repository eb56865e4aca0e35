"""What the page says of time to quality: a curve for each model, and seconds until a logloss."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from experiments.common.published import CONTENDERS
from experiments.report.blocks import BLUE, GREY, ORANGE, picture, without_frame
from experiments.report.cells import Summary, data_of, table

COLOURS = (BLUE, "#e69f00", "#009e73", "#cc79a7", ORANGE)
"""One a model, Okabe and Ito's as well."""


def time_to_quality(summary: Summary) -> Summary:
    """Returns the table and the picture of `experiments.speed.time_to_quality`."""
    models, reached = summary["models"], summary["reached"]
    limits: dict[float, list[str]] = {}
    for model, found in models.items():
        limits.setdefault(found["limit"], []).append(CONTENDERS[model])

    def seconds(model: str) -> Any:
        def cell(row):
            found = row["seconds"][model]
            return "–" if found is None else f"{found:,.0f}"

        return cell

    columns = {
        "until it is as good as the best of": lambda row: CONTENDERS[row["name"]],
        "logloss": "{logloss:.4f}",
        **{f"{CONTENDERS[model]}, s": seconds(model) for model in models},
    }
    rows = [{"name": name, **row} for name, row in reached.items()]
    name = summary["data"]["set"].split("/")[0]
    return {
        "about": data_of(summary),
        "preparing": summary["prepared"]["seconds"],
        "limits": "; ".join(
            f"{limit:,.0f} s at most for {', '.join(names)}" for limit, names in limits.items()
        ),
        "lines": table(columns, rows),
        "failed": ", ".join(
            f"{CONTENDERS[model]}: {found['failed']}"
            for model, found in models.items()
            if "failed" in found
        ),
        "curves": picture(
            draw(summary),
            f"time_to_quality_{name}_{summary['prepared']['rows']}",
            f"{name}: logloss on validation over the seconds since the raw log, a line a model",
        ),
    }


def draw(summary: Summary) -> Figure:
    """Draws the models' logloss over seconds, those of preparation included."""
    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    panel = figure.subplots()
    before = summary["prepared"]["seconds"]
    for colour, (model, found) in zip(COLOURS, summary["models"].items(), strict=False):
        points = found["curve"]
        seconds = [before + point["seconds"] for point in points]
        losses = [point["logloss"] for point in points]
        panel.plot(seconds, losses, ".-", color=colour, label=CONTENDERS[model])
    panel.axvline(before, color=GREY, linewidth=0.8, linestyle=":")
    best = [min(p["logloss"] for p in m["curve"]) for m in summary["models"].values() if m["curve"]]
    margin = max(best) - min(best) or 0.01  # what comes before the best of all is cut off
    panel.set_ylim(min(best) - margin / 10, max(best) + margin / 2)
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    panel.xaxis.set_major_formatter("{x:g}")
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel("seconds since the raw log; dotted: it is prepared")
    panel.set_ylabel("logloss on validation")
    panel.legend(frameon=False)
    without_frame(panel)
    return figure
