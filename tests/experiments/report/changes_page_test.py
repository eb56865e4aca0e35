"""Tests of the page's part on forms and one change at a time, on made-up summaries."""

import pytest


def row(*aucs, **more):
    mean = {"mean": sum(aucs) / len(aucs), "std": 0.01}
    runs = [{"seed": n, "validation": {"auc": auc}, **more} for n, auc in enumerate(aucs)]
    return {"validation": {"auc": mean, "logloss": mean}, "runs": runs}


@pytest.fixture
def summary(measured):
    return {**measured, "data": {"set": "criteo", "note": "a log"}}


@pytest.mark.parametrize("name", ["tuned", "paper_penalty"])
def test_each_change_is_a_line(page_of, summary, name):
    rows = {"preset": row(0.98, 0.96, attention={"auc_lost": 0.002}), "deepfm": row(0.99)}
    text = page_of(**{name: {**summary, "changes": rows}})
    assert "| preset | 0.9700 ± 0.0100 | 0.9700 ± 0.0100 | 0.0020 ± 0.0000 | 0, 1 |" in text
    assert "| deepfm | 0.9900 ± 0.0100 | 0.9900 ± 0.0100 | – | 0 |" in text
    assert "`criteo`, a log" in text and "dead" not in text


def test_dead_units_of_each_seed(page_of, summary):
    rows = {"released": row(0.75, 0.77, units=6, dead_units=2)}
    text = page_of(seeds={**summary, "changes": rows})
    assert "| 0, 1 | 0.7500, 0.7700 | 2 of 6, 2 of 6 |" in text
