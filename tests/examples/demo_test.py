"""Tests of the page in which a model runs, where there are Chromium and npm."""

import importlib
import pathlib
import shutil
import sys

import numpy as np
import pytest

from tests.click_log_example import train_briefly
from tests.examples.chromium import CHROMIUM, Page

pytest.importorskip("tf2onnx")
DEMO = pathlib.Path(__file__).parents[2] / "examples/demo"
NAMES = ("app", "weekday", "device", "user")
SHOWN = "(document.getElementById('probability')?.textContent ?? '')"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm"),
]


@pytest.fixture(scope="module")
def build():
    sys.path.insert(0, str(DEMO))
    yield importlib.import_module("build")
    sys.path.remove(str(DEMO))


@pytest.fixture(scope="module")
def built(build, tmp_path_factory):
    """The page and its model, of a small log."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clicks.ROWS", 4000)
        train_briefly(patch, epochs=2)
        patch.setattr(sys, "argv", ["build.py", f"--output={folder}/index.html"])
        build.main()
    return folder


def expected(folder, record):
    """What ONNX Runtime's Python package makes of the same file."""
    session = pytest.importorskip("onnxruntime").InferenceSession(folder / "model.onnx")
    columns = {name: np.array([record[name]], object) for name in NAMES}
    outputs = session.run(None, {**columns, "price": np.array([record["price"]], "float64")})
    return dict(zip((output.name for output in session.get_outputs()), outputs, strict=True))


def choose(page, record):
    """Sets the fields, as a person does, and waits until the page has answered."""
    script = "document.getElementById('probability').textContent = '…';"
    for name in NAMES:
        script += f"document.getElementById('field-{name}').value = {record[name]!r};"
    missing = str(np.isnan(record["price"])).lower()
    script += f"document.getElementById('missing-price').checked = {missing};"
    if not np.isnan(record["price"]):
        script += f"document.getElementById('field-price').value = {record['price']};"
    page.value(
        script
        + "document.getElementById('field-app').dispatchEvent(new Event('input', {bubbles: true}));"
    )
    page.wait_for(f"{SHOWN}.includes('%')")


def texts(page, selector):
    return page.value(f"[...document.querySelectorAll('{selector}')].map((e) => e.textContent)")


RECORDS = [
    {"app": "games", "weekday": "Sun", "device": "phone", "user": "u3", "price": 2.5},
    {"app": "mail", "weekday": "Tue", "device": "laptop", "user": "u0", "price": 10.0},
    {"app": "another one", "weekday": "Sun", "device": "tablet", "user": "u1", "price": np.nan},
]


def test_the_page_computes_what_python_does(built, tmp_path):
    with Page(f"file://{built}/index.html", tmp_path) as page:
        page.wait_for(f"{SHOWN}.includes('%')")
        for record in RECORDS:
            choose(page, record)
            wanted = expected(built, record)
            assert page.value(SHOWN) == f"{100 * wanted['probability'][0]:.1f}%"
            amounts = page.value(
                "[...document.querySelectorAll('#effects .amount')].map((e) => e.textContent)"
            )
            effects = [float(text.replace("−", "-")) for text in amounts]
            np.testing.assert_allclose(effects, wanted["effects"][0], atol=0.006)
            cells = page.value(
                "[...document.querySelectorAll('#attention td')].map((e) => e.textContent)"
            )
            weights = wanted["field_weights"][0].T.ravel()  # a row a field
            np.testing.assert_allclose(list(map(float, cells)), weights, atol=0.006)


def test_the_button_shows_what_was_planted(built, tmp_path):
    with Page(f"file://{built}/index.html", tmp_path) as page:
        before = page.wait_for(f"{SHOWN}.includes('%') && {SHOWN}")
        page.value("document.getElementById('planted').click()")
        page.wait_for(f"{SHOWN} !== '{before}'")
        chosen = [page.value(f"document.getElementById('field-{n}').value") for n in NAMES[:2]]
        assert chosen == ["games", "Sun"]


def test_it_needs_no_other_file_and_no_network(built):
    text = (built / "index.html").read_text()
    page, _, _ = text.partition('<script id="facts"')
    assert "src=" not in page and 'href="data:,"' in page and "http" not in page


def test_without_npm_a_line_says_so(build, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["build.py", f"--output={tmp_path}/index.html"])
    with pytest.raises(SystemExit):
        build.main()
    assert capsys.readouterr().err == (
        "error: the demo needs npm, which comes with Node.js, for onnxruntime-web\n"
    )
