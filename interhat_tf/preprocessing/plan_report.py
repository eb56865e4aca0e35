"""A plan of a log as a reader sees it: a line a column, as Markdown and as JSON."""

import dataclasses
import json
import warnings

from etils import epath

from interhat_tf.preprocessing.column_plan import LEFT_OUT
from interhat_tf.preprocessing.log_plan import NOT_ASKED_FOR, LogPlan
from interhat_tf.utils.markdown import aligned_table
from interhat_tf.utils.short_text import shortened

MAX_CHARACTERS = 24
"""Length of the longest example that is shown whole."""

ABOUT_RARE = (
    "*rare*: share of the rows whose value no other of these rows has; about as many new records "
    "would have a value that is unknown."
)


def plan_markdown(plan: LogPlan) -> str:
    """Returns a Markdown table with a line for each column, and what its figures are of.

    Example:

    >>> import pyarrow as pa
    >>> from interhat_tf.preprocessing.log_plan import plan_log
    >>> rows = pa.table({"click": [0, 1, 1], "price": [0.5, None, 2.0]})
    >>> print(plan_markdown(plan_log(rows, "log.parquet", "click")).splitlines()[-1])
    | price  | numerical |      2 |   33.3% |      | 0.5     |                          |
    """
    header = ["column", "kind", "values", "missing", "rare", "example", "note"]
    lines = [
        [
            _cell(column.column),
            column.kind,
            f"{column.values:,}",
            f"{column.missing:.1%}",
            "" if column.rare is None else f"{column.rare:.1%}",
            _cell(shortened(column.example, MAX_CHARACTERS)),
            _cell(column.note),
        ]
        for column in plan.columns
    ]
    about = f"Of {plan.rows:,} rows of the log. {ABOUT_RARE}"
    return f"{about}\n\n{aligned_table(header, lines, ('values', 'missing', 'rare'))}"


def write_plan(plan: LogPlan, folder: epath.Path) -> None:
    """Writes `columns.md` and `columns.json` into a folder."""
    (folder / "columns.md").write_text(f"# Columns\n\n{plan_markdown(plan)}\n")
    columns = [dataclasses.asdict(column) for column in plan.columns]
    about = {"rows": plan.rows, "label": dataclasses.asdict(plan.label), "columns": columns}
    (folder / "columns.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")


def warn_of_columns_left_out(plan: LogPlan, *, growing: bool) -> None:
    """Warns of the columns that nobody asked to leave out.

    Args:
        plan: The plan.
        growing: Whether the set grows from another one, which has decided on the fields.
    """
    advice = (
        "a set that grows has the fields of the one before it"
        if growing
        else "to keep one, name it and all other fields in categorical= and numerical=; to leave "
        "it out silently, name it in exclude="
    )
    left_out = [
        f"{column.column!r} ({column.note})"
        for column in plan.columns
        if column.kind == LEFT_OUT and column.note != NOT_ASKED_FOR
    ]
    if left_out:
        warnings.warn(
            f"left out: {', '.join(left_out)}; {advice}",
            stacklevel=3,
        )


def _cell(text):
    return " ".join(text.split())
