"""Tests of the page; what its script does, where there is a Chromium to run it."""

import dataclasses
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from interhat_tf.explanation.explanation import Explanation
from tests.models.held_effects import FIDELITY

EVIL = "</script><script>document.title = 'taken'</script><img src=x onerror='alert(1)'>"
CHROMIUM = shutil.which("chromium")


@pytest.fixture
def explanation(rng):
    fields = ("user", "app", "price")
    values = np.array([["u1", EVIL, "2.5"], ["u2", "{{data}}", "3"]], object)
    field_weights = rng.dirichlet(np.ones(3), (2, 2))
    contributions = rng.normal(size=(2, 2, 3))
    logits = contributions.sum(axis=(1, 2)) + 0.5
    order_weights = rng.dirichlet(np.ones(2), 2)
    return Explanation(
        fields, values, logits, np.full(2, 0.5), order_weights, field_weights, contributions
    )


@pytest.fixture
def page(explanation, tmp_path):
    explanation.to_html(tmp_path / "page.html", title="A <b>title</b>", about="{{data}} & more")
    return tmp_path / "page.html"


def test_the_data_is_all_of_the_explanation(explanation, page):
    text = page.read_text()
    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    assert json.loads(data) == json.loads(explanation.to_json())


def test_no_value_is_taken_for_html(page):
    text = page.read_text()
    assert text.count("<script") == text.count("</script>") == 2
    assert "<img" not in text and "A &lt;b&gt;title&lt;/b&gt;" in text
    assert "{{data}} &amp; more" in text


def test_how_exact_estimated_effects_are_stands_above(explanation, tmp_path):
    estimated = dataclasses.replace(explanation, effect_fidelity=FIDELITY)
    estimated.to_html(tmp_path / "page.html")
    assert html.escape(estimated.effects_note()) in (tmp_path / "page.html").read_text()


def test_what_attention_is_worth_stands_above(explanation, tmp_path):
    attention = {"auc_lost": 0.0123, "logloss_lost": 0.02, "idle": False}
    dataclasses.replace(explanation, attention=attention).to_html(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "costs this model 0.0123 of AUC and 0.0200 of logloss" in text


def test_it_needs_no_other_file(page):
    text = page.read_text()
    assert re.findall(r'(?:src|href)="([^"]*)"', text) == ["data:,"]
    assert "http" not in text and "@import" not in text and "url(" not in text


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.slow
def test_its_script_lists_the_records(explanation, page, tmp_path):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path}/profile", "--disable-background-networking"]
    done = subprocess.run(
        [*command, f"file://{page}"], capture_output=True, text=True, check=True, timeout=60
    )
    shown = html.unescape(done.stdout)
    assert done.stdout.count("<article>") == 2
    for sentence in explanation.sentences():
        assert sentence in shown
    assert "2 of 2 records" in shown
    assert "<title>A &lt;b&gt;title&lt;/b&gt;</title>" in done.stdout  # not "taken"
