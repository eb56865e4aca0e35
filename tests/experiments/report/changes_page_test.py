"""Tests of the page's part on forms and one change at a time, on made-up summaries."""

import pytest


def row(*aucs, **more):
    mean = {"mean": sum(aucs) / len(aucs), "std": 0.01}
    scores = {"auc": mean, "logloss": {**mean, "mean": 1 - mean["mean"]}}
    runs = [{"seed": n, "validation": {"auc": auc}, **more} for n, auc in enumerate(aucs)]
    return {"flags": {}, "validation": scores, "runs": runs}


@pytest.fixture
def summary(measured):
    return {**measured, "data": {"set": "criteo", "note": "a log"}}


@pytest.mark.parametrize("name", ["tuned", "paper_penalty"])
def test_each_change_is_a_line(page_of, summary, name):
    rows = {"preset": row(0.98, 0.96, attention={"auc_lost": 0.002}), "deepfm": row(0.99)}
    text = page_of(**{name: {**summary, "changes": rows}})
    assert "| preset | 0.9700 ± 0.0100 | 0.0300 ± 0.0100 | 0.0020 ± 0.0000 | 0, 1 |" in text
    assert "| deepfm | 0.9900 ± 0.0100 | 0.0100 ± 0.0100 | – | 0 |" in text
    assert "`criteo`, a log" in text and "dead" not in text


def test_the_way_from_lr_is_said_where_the_best_is_known(page_of, summary):
    rows = {"preset": row(0.79), "deepfm": row(0.7), "lr": row(0.6), "lr, penalty 0.1": row(0.5)}
    for name, of_row in rows.items():
        of_row["flags"] = {"model": "lr"} if name.startswith("lr") else {}
    text = page_of(tuned={**summary, "changes": rows, "best": {"validation": {"auc": 0.8}}})
    assert "The best possible AUC here is 0.8000. Written on" in text
    assert "| preset | 0.7900 ± 0.0100 | 0.2100 ± 0.0100 | – | 0 | 95.0% |" in text
    assert "| lr, penalty 0.1 | 0.5000 ± 0.0100 | 0.5000 ± 0.0100 | – | 0 | -50.0% |" in text
    text = page_of(
        tuned={
            **summary,
            "changes": {"preset": rows["preset"]},
            "best": {"validation": {"auc": 0.8}},
        }
    )
    assert "way from LR" not in text


def test_dead_units_of_each_seed(page_of, summary):
    rows = {"released": row(0.75, 0.77, units=6, dead_units=2)}
    text = page_of(seeds={**summary, "changes": rows})
    assert "| 0, 1 | 0.7500, 0.7700 | 2 of 6, 2 of 6 |" in text


def trained(flags, **settings):
    """A row with recorded settings."""
    arguments = {"embedding_l2": 0.1, "embedding_dim": 16}
    training = {"patience": 5, "effect_weight": 0.0, "effect_donors": 8}
    for name, value in {**flags, **settings}.items():
        (arguments if name in arguments else training)[name] = value
    return {**row(0.9), "flags": flags, "arguments": arguments, "training": training}


MARKED = "differs from the first row by more than the change"


@pytest.mark.parametrize(
    ("other", "marked"),
    [
        (trained({"patience": 2}), False),
        (trained({"patience": 2}, embedding_l2=0.3), True),
        (trained({"embedding_l2": 0.3}, patience=10), True),
        (trained({"patience": 2}, embedding_l2=0.1 + 1e-17), False),
        # Nothing is aligned, and only one of the two says what its rate falls by.
        (trained({"patience": 2}, effect_donors=0, learning_rate_factor=1.0), False),
        (trained({"model": "lr"}, embedding_l2=0.3), False),
        (row(0.9), False),
    ],
)
def test_a_row_of_another_form_is_marked(page_of, summary, other, marked):
    rows = {"preset": trained({}), "other": other, "an own one": trained({"patience": 3})}
    text = page_of(tuned={**summary, "changes": rows})
    assert ("| other † |" in text) == marked and (MARKED in text) == marked
    assert "| preset | " in text and "| an own one | " in text
