"""The page's part on Figure 2, from the grid `figure_2` of `experiments.speed.grid`."""

from typing import Any

from experiments.common.markdown import spread
from experiments.report.grid_cells import measured, rate, title
from experiments.report.pages import Section, Table, picture
from experiments.report.speed_figures import figure_2_bars
from experiments.speed.paper_sizes import SIZES


def seconds_per_epoch(row: dict[str, Any]) -> dict[str, float]:
    """Returns the seconds that an epoch of the paper's training split takes."""
    steps = SIZES[row["size"]].epoch_rows / row["batch"]
    return {"mean": row["seconds"] * steps, "std": row["deviation"] * steps}


def figure_2(summary: dict[str, Any] | None) -> list[Section]:
    """Returns the section on the seconds an epoch of all models."""
    if summary is None:
        return []
    cells = []
    for group in summary["groups"]:
        rows = group["rows"]
        (base,) = (row["seconds"] for row in rows if row["model"] == "interhat")
        for row in rows:
            layers = {f: v for f, v in row["arguments"].items() if not f.endswith("_l2")}
            cells.append(
                [
                    row["size"].capitalize(),
                    title(row["model"]),
                    spread(seconds_per_epoch(row), 0),
                    f"{row['seconds'] / base:.2f}",
                    rate(row),
                    f"{row['parameters']:,}",
                    ", ".join(f"{flag} {value}" for flag, value in layers.items()),
                ]
            )
    header = ["data", "model", "s an epoch", "of InterHAt's", "rows/s", "parameters", "built with"]
    sizes = " ".join(
        f"{name.capitalize()}'s sizes: {size.categories + size.numbers} fields, "
        f"{size.features:,} features, {size.epoch_rows:,} rows an epoch."
        for name, size in SIZES.items()
        if any(group["of"]["size"] == name for group in summary["groups"])
    )
    about = (
        "All models on the same embedding, optimizer and loop; some steps of an epoch were timed, "
        f"of {summary['groups'][0]['rows'][0]['batch']:,} records each. {sizes} "
        f"{measured('figure_2', summary['groups'])}"
    )
    bars = figure_2_bars(summary["groups"], seconds_per_epoch)
    return [
        Section(
            "Figure 2: seconds an epoch",
            [
                about,
                picture(bars, "figure_2", "Bars: seconds an epoch of each model"),
                Table(header, cells, fold="Figure 2's numbers, and the sizes of the models"),
            ],
        )
    ]
