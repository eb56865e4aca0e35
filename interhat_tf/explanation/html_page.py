"""Explanations as one HTML page that needs no other file and no network."""

import os
import pathlib
from typing import TYPE_CHECKING

import jinja2

from interhat_tf.explanation.json_data import json_data
from interhat_tf.explanation.sentences import notes
from interhat_tf.utils.files import atomic_write

if TYPE_CHECKING:
    from interhat_tf.explanation.explanation import Explanation
    from interhat_tf.explanation.overview import Overview

# Whatever a template prints is escaped, as HTML or, by `tojson`, as what may stand in a script.
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / "page"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)
_TEMPLATES.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}


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
    page = _TEMPLATES.get_template("explanations.html").render(
        title=title,
        about=about,
        notes=" ".join(notes(explanation)),
        data=json_data(explanation),
        overview=overview and overview.to_dict(),
    )
    with atomic_write(path) as file:
        file.write(page.encode())
