"""Explanations as one HTML page that needs no other file and no network."""

import html
import json
import os
import pathlib
import re
from typing import TYPE_CHECKING

from interhat_tf.explanation.json_data import json_data
from interhat_tf.explanation.sentences import notes
from interhat_tf.utils.files import atomic_write

if TYPE_CHECKING:
    from interhat_tf.explanation.explanation import Explanation

_FOLDER = pathlib.Path(__file__).parent / "page"


def write_page(
    explanation: "Explanation",
    path: str | os.PathLike,
    title: str = "Explanations",
    about: str = "",
) -> None:
    """Writes a page on which each record can be looked into.

    It lists the records with their probability and their explanation in words,
    to be searched and sorted; opened, a record shows its heat map, with the
    numbers of a cell where the pointer is, and its contributions as a
    waterfall from the bias to the logit. Above them stands what attention is
    worth to the model, how exact its effects are if it estimates them, how its
    probabilities were calibrated if they were, and which fields have unknown values.
    Values of the log stay text: none is ever taken for HTML.

    Args:
        explanation: The `Explanation`.
        path: The file; its folder is made if need be.
        title: Title of the page.
        about: A line under it, say of the model and the data.
    """
    data = json.dumps(json_data(explanation), ensure_ascii=False, separators=(",", ":"))
    page = (_FOLDER / "explanations.html").read_text()
    parts = {
        "title": html.escape(title),
        "about": html.escape(about),
        "notes": html.escape(" ".join(notes(explanation))),
        "style": (_FOLDER / "explanations.css").read_text(),
        "script": (_FOLDER / "explanations.js").read_text(),
        # Inside a script element nothing is escaped, so that no "</script>" may stand in it.
        "data": data.replace("<", "\\u003c"),
    }
    # In one pass, so that braces in a title or in the log stand for nothing.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)
    with atomic_write(path) as file:
        file.write(page.encode())
