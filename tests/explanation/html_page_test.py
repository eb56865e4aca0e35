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
from interhat_tf.explanation.importance import Importance
from interhat_tf.explanation.overview import Overview
from interhat_tf.training.observed_rates import Reliability
from tests.explanation.made import random_records
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
    assert text.count("<script") == text.count("</script>") == 3
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
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', text) == ["data:,"]
    text = text.replace("http://www.w3.org/2000/svg", "")  # a name, which nothing is read from
    assert "http" not in text and "@import" not in text and "url(" not in text


def shown_by_chromium(page, tmp_path, actions=""):
    """Returns what the page holds after its script, and then some actions, have run."""
    copy = tmp_path / "acted.html"
    copy.write_text(page.read_text().replace("</body>", f"<script>{actions}</script></body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path}/profile", "--disable-background-networking"]
    done = subprocess.run(
        [*command, f"file://{copy}"], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split("<script id=")[0]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.slow
def test_its_script_lists_the_records(explanation, page, tmp_path):
    shown = shown_by_chromium(page, tmp_path)
    assert shown.count("<article>") == 2
    for sentence in explanation.sentences():
        assert sentence in html.unescape(shown)
    assert "2 of 2 records" in shown
    assert "<title>A &lt;b&gt;title&lt;/b&gt;</title>" in shown  # not "taken"
    assert "no click" not in shown and "not clicked" not in shown  # labels are not known


@pytest.fixture
def labelled(rng, tmp_path):
    """Ten records with labels and effects, of which the first two have another value of a."""
    explanation = random_records(
        rng, records=10, effects=rng.normal(size=(10, 4)), labels=np.array([1, 0] * 5)
    )
    explanation.values[:, 0] = ["new"] * 2 + ["old"] * 8
    reliability = Reliability.of([0, 0, 0, 1], [0.1, 0.2, 0.6, 0.7], bins=2)
    names = (("a",), ("b",), ("a", "b"))
    importance = Importance(names, np.array([0.1, 0.4, 0.2]), *np.zeros((2, 3)), 10, "Exact.")
    overview = Overview("4 records", {"auc": 0.75}, reliability, importance)
    explanation.to_html(tmp_path / "labelled.html", overview=overview)
    return explanation, tmp_path / "labelled.html"


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.slow
def test_an_overview_comes_before_the_records(labelled, tmp_path):
    shown = shown_by_chromium(labelled[1], tmp_path)
    words = ["4 records", "0.7500", "base rate", "0.2500", "b moves the logit most"]
    words += ["a x b do most together", "10 of 10 records", "Bars begin at the base rate, 0.250"]
    places = [shown.index(text) for text in words]
    assert places == sorted(places)
    assert "0.400" in shown and "Of 10 records. Exact." in shown
    assert shown.count("● clicked") == shown.count("○ no click") == 5


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"field": "a", "value": "=new"}, [0, 1]),
        ({"outcome": "clicked"}, [0, 2, 4, 6, 8]),
        ({"field": "a", "value": "=old", "outcome": "not"}, [3, 5, 7, 9]),
        ({"outcome": "surprising"}, None),
        ({"sort": "highest"}, None),
    ],
)
def test_records_are_filtered_and_sorted(labelled, tmp_path, chosen, expected):
    explanation, page = labelled
    p, clicked = explanation.probabilities, explanation.labels == 1
    if "sort" in chosen:
        expected = np.argsort(-p).tolist()
    elif expected is None:
        expected = np.flatnonzero(clicked != (p >= 0.25)).tolist()
    actions = "".join(
        f"byId('{name}').value = '{value}'; byId('{name}').dispatchEvent(new Event('change'));"
        for name, value in chosen.items()
    )
    shown = shown_by_chromium(page, tmp_path, actions)
    assert [int(number) for number in re.findall(r'"number">#(\d+)<', shown)] == expected


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.slow
def test_an_opened_record_shows_effects_and_folds_the_rest(labelled, tmp_path):
    explanation, page = labelled
    arrow = "new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true})"
    actions = f"""document.querySelectorAll("article > button")[3].click();
        document.querySelectorAll("details").forEach((part) => part.open = true);
        document.querySelector("td").focus(); document.activeElement.dispatchEvent({arrow});"""
    shown = shown_by_chromium(page, tmp_path, actions)
    assert shown.count('aria-expanded="true"') == 1
    titles = re.findall(r"<(?:h3|summary)>(\w+)", shown)
    assert titles == ["Effects", "Contributions", "Attention"]
    weights = [float(text) for text in re.findall(r"<td[^>]*>([^<]*)<", shown)]  # a row a field
    expected = explanation.field_weights[3].T.ravel()
    np.testing.assert_allclose(weights, expected, atol=0.006)
    second = f"weight {explanation.field_weights[3, 0, 1]:.3f}"
    assert second in shown.split('role="tooltip"')[1]  # of the cell that the arrow led to
    assert len(re.findall(r'<td[^>]*tabindex="0"', shown)) == 1
