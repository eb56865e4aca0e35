"""What the page says of the cases that `experiments.speed.grid` timed: names, cells, sentences."""

from typing import Any

from experiments.common.markdown import spread
from experiments.common.published import TITLES
from experiments.report.pages import written

FORMS = {
    "interhat": "InterHAt, released",
    "interhat_paper": "InterHAt, paper, d_K = d / h",
    "interhat_wide": "InterHAt, paper, d_K = s",
}


def title(model: str) -> str:
    """Returns what the tables call a model."""
    return FORMS.get(model) or TITLES[model]


def rate(row: dict[str, Any]) -> str:
    """Returns the rows a second of what was timed."""
    return f"{row['batch'] / row['seconds']:,.0f}"


def milliseconds(row: dict[str, Any]) -> str:
    """Returns the milliseconds of what was timed, and their deviation."""
    return spread({"mean": row["seconds"] * 1e3, "std": row["deviation"] * 1e3}, 1)


def measured(grid: str, groups: list[dict[str, Any]], *flags: str) -> str:
    """Returns the sentences that say how, when and where groups of a grid were timed.

    Args:
        grid: The grid's name.
        groups: The groups.
        *flags: What the command has beside the grid's name.
    """
    command = " ".join(["python -m experiments.speed.grid", f"--grid={grid}", *flags])
    return " ".join(
        dict.fromkeys(
            f"{group['average'].capitalize()} of {group['rounds']} interleaved rounds, at commit "
            f"{group['versions']['commit']}. {written(group, command)}"
            for group in groups
        )
    )
