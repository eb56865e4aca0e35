"""What the page says of the cases that `experiments.speed.grid` timed: names, cells, sentences."""

from experiments.common.markdown import spread
from experiments.common.published import TITLES
from experiments.report.cells import Summary, written

FORMS = {
    "interhat": "InterHAt, released",
    "interhat_paper": "InterHAt, paper, d_K = d / h",
    "interhat_wide": "InterHAt, paper, d_K = s",
    "interhat_tuned": "InterHAt, tuned",
}
PEERS = {"interhat": "FuxiCTR's InterHAt, PyTorch", "deepfm": "DeepFM, PyTorch"}


def title(row: Summary) -> str:
    """Returns what the tables call the model that was timed."""
    if row.get("code") == "pytorch":
        return PEERS[row["model"]]
    return FORMS.get(row["model"]) or TITLES[row["model"]]


def rate(row: Summary) -> str:
    """Returns the rows a second of what was timed."""
    return f"{row['batch'] / row['seconds']:,.0f}"


def milliseconds(row: Summary) -> str:
    """Returns the milliseconds of what was timed, and their deviation."""
    return spread({"mean": row["seconds"] * 1e3, "std": row["deviation"] * 1e3}, 1)


def is_averaged(row: Summary) -> str:
    """Returns whether steps that were timed had an average of the weights."""
    return "yes" if row.get("ema_momentum") else "no"


def rows_of(summary: Summary) -> list[Summary]:
    """Returns the rows of all groups, each with what its group is `of`."""
    return [{**group["of"], **row} for group in summary["groups"] for row in group["rows"]]


def measured(groups: list[Summary], flags: str) -> str:
    """Returns how, when and where groups of a grid were timed, by a command with these flags."""
    command = f"python -m experiments.speed.grid {flags}"
    return " ".join(
        dict.fromkeys(
            f"{group['average'].capitalize()} of {group['rounds']} interleaved rounds, at commit "
            f"{group['versions']['commit']}. {written(group, command)}"
            for group in groups
        )
    )
