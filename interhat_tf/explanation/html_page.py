"""Explanations as one HTML page that needs no other file and no network."""

import html
import json
import os
import pathlib
import re
from typing import TYPE_CHECKING, Any

from interhat_tf.explanation.json_data import json_data
from interhat_tf.explanation.sentences import notes
from interhat_tf.utils.files import atomic_write

if TYPE_CHECKING:
    from interhat_tf.explanation.explanation import Explanation
    from interhat_tf.explanation.overview import Overview

_FOLDER = pathlib.Path(__file__).parent / "page"
_SCRIPTS = ("drawing.js", "overview.js", "record.js", "explanations.js")


def write_page(
    explanation: "Explanation",
    path: str | os.PathLike,
    title: str = "Explanations",
    about: str = "",
    overview: "Overview | None" = None,
) -> None:
    """Writes a page on which each record can be looked into.

    An overview of the split comes first, if there is one: AUC, calibration, the fields and
    pairs that count most. Then come what attention is worth to the model, how exact its
    effects are if it estimates them, how its probabilities were calibrated if they were,
    and which fields have unknown values. Then the records, with their label if it is
    known, their probability on an axis from the base rate and their explanation in
    words, to be searched, filtered and sorted; opened, a record shows its effects, and,
    folded, its contributions as a waterfall from the bias to the logit and its attention
    weights. Values of the log stay text: none is ever taken for HTML.

    Args:
        explanation: The `Explanation`.
        path: The file; its folder is made if need be.
        title: Title of the page.
        about: A line under it, say of the model and the data.
        overview: The `Overview` of the split. Defaults to `None`: the page has none.
    """
    page = (_FOLDER / "explanations.html").read_text()
    parts = {
        "title": html.escape(title),
        "about": html.escape(about),
        "notes": html.escape(" ".join(notes(explanation))),
        "style": (_FOLDER / "explanations.css").read_text(),
        "script": "\n".join((_FOLDER / name).read_text() for name in _SCRIPTS),
        "data": _json(json_data(explanation)),
        "overview": _json(overview and overview.to_dict()),
    }
    # In one pass, so that braces in a title or in the log stand for nothing.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)
    with atomic_write(path) as file:
        file.write(page.encode())


def _json(data: Any) -> str:
    """Returns data for a script element, in which nothing is escaped: no "</script>" may stand."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
