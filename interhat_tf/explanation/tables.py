"""Explanations as tables: a data frame of all numbers, and what a notebook shows."""

import html
from typing import TYPE_CHECKING

import numpy as np

from interhat_tf.explanation.sentences import notes

if TYPE_CHECKING:
    import pandas as pd

    from interhat_tf.explanation.explanation import Explanation

SHOWN_RECORDS, SHOWN_FIELDS, SHOWN_PAIRS = 10, 5, 3
WORDS = 'style="text-align: left"'
"""Of cells of words; notebooks align cells to the right, which suits numbers."""


def frame(explanation: "Explanation") -> "pd.DataFrame":
    """Returns a data frame with a row for each record, order and field.

    Args:
        explanation: The records' `Explanation`.
    """
    import pandas as pd  # here, since nothing else needs it and it is slow to import

    shape = explanation.field_weights.shape  # (B, k, m)
    record, order, field = (indices.ravel() for indices in np.indices(shape))
    columns = {
        "record": record,
        "order": order + 1,
        "field": np.array(explanation.field_names, object)[field],
        "value": explanation.values[record, field],
        "order_weight": explanation.order_weights[record, order],
        "field_weight": explanation.field_weights.ravel(),
        "contribution": explanation.contributions.ravel(),
    }
    if explanation.effects is not None:
        columns["effect"] = explanation.effects[record, field]
    return pd.DataFrame({**columns, "probability": explanation.probabilities[record]})


def html_table(explanation: "Explanation") -> str:
    """Returns a table of the first records: their sentences and what counts most in them.

    What counts are the effects if there are any, and the contributions otherwise.
    Pair effects have a column of their own.

    Args:
        explanation: The records' `Explanation`.
    """
    shown = explanation[:SHOWN_RECORDS]
    kind, amounts = "contributions", shown.contributions.sum(axis=1)  # (B, m)
    if shown.effects is not None:
        kind, amounts = "effects", shown.effects
    head, cells = _pair_column(shown)
    rows = []
    for record, sentence in enumerate(shown.sentences()):
        largest = np.argsort(-np.abs(amounts[record]))[:SHOWN_FIELDS]
        shares = [f"{shown.label(record, j)} ({amounts[record, j]:+z.2f})" for j in largest]
        rows.append(
            f"<tr><td>{record}</td><td>{shown.probabilities[record]:.3f}</td>"
            f"<td {WORDS}>{html.escape(sentence)}</td>"
            f"<td {WORDS}>{html.escape(', '.join(shares))}</td>"
            f"{cells[record]}</tr>"
        )
    left = len(explanation) - len(shown)
    more = f"<p>… and {left:,} more records</p>" if left else ""
    below = "".join(f"<p>{html.escape(note)}</p>" for note in notes(explanation))
    return (
        f"<table><thead><tr><th></th><th>probability</th><th {WORDS}>in words</th>"
        f"<th {WORDS}>largest {kind} on the logit</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{more}{below}"
    )


def _pair_column(explanation: "Explanation") -> tuple[str, list[str]]:
    """Returns the head and the cells of a column of the largest pair effects, if there are any."""
    if explanation.pair_effects is None:
        return "", [""] * len(explanation)
    place = {name: column for column, name in enumerate(explanation.field_names)}
    cells = []
    for record, pairs in enumerate(explanation.interactions()):
        words = [
            " and ".join(explanation.label(record, place[name]) for name in fields)
            + f" ({effect:+z.2f})"
            for fields, effect in pairs[:SHOWN_PAIRS]
        ]
        cells.append(f"<td {WORDS}>{html.escape(', '.join(words))}</td>")
    return f"<th {WORDS}>largest effects of two together</th>", cells
