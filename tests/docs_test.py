"""Runs the examples of the site's pages, each page's one after the other."""

import pathlib
import re
import textwrap

import pytest

from interhat_tf.models import MODELS
from tests.click_log_example import train_briefly, write_click_log

DOCS = pathlib.Path(__file__).parents[1] / "docs"
EXAMPLE = re.compile(r"^( *)```python\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
PAGES = {path.stem: EXAMPLE.findall(path.read_text()) for path in sorted(DOCS.glob("*.md"))}


def test_pages_have_examples():
    assert {"start", "own_log", "explanations", "serving", "adding_a_model"} <= {
        page for page, examples in PAGES.items() if examples
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, examples in PAGES.items() if examples])
def test_the_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train_briefly(monkeypatch)
    write_click_log(tmp_path / "clicks.csv")
    write_click_log(tmp_path / "clicks_2.csv", first_user=5)
    names, models = {"__name__": page}, dict(MODELS)
    for _, code in PAGES[page]:
        exec(textwrap.dedent(code), names)
    MODELS.clear()
    MODELS.update(models)  # without those that the page has added
