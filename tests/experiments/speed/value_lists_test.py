"""The program on a small log, and what its logs are like."""

import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.report import tables
from experiments.speed import value_lists


def test_lists_are_as_long_as_they_are_called(rng):
    log = value_lists.made_up(rng, 2000)
    for column, longest in value_lists.LENGTHS.items():
        lengths = log[column].combine_chunks().value_lengths().to_numpy()
        assert lengths.max() == longest and lengths.min() == 0
        assert lengths.mean() == pytest.approx(longest / 2, rel=0.1)
    assert np.unique(log["tags"].combine_chunks().flatten()).size == value_lists.TAGS


def test_only_the_column_in_question_is_prepared(rng, tmp_path):
    log = value_lists.made_up(rng, 1000)
    plain, _ = value_lists.prepared(log, str(tmp_path))
    with_history, seconds = value_lists.prepared(log, str(tmp_path), "history of 20")
    assert not plain.schema.multivalued and seconds > 0
    (field,) = with_history.schema.multivalued
    assert (field.name, field.kind, field.max_length) == ("history of 20", "sequence", 20)


@pytest.mark.slow
def test_the_program_and_its_page(study_flags):
    with flagsaver.flagsaver(list_rows=1000, rounds=2):
        value_lists.main(None)
    summary = read_result("speed/value_lists.json")
    assert [row["column"] for row in summary["columns"]] == list(value_lists.LENGTHS)
    assert all(row[way]["mean"] > 0 for row in summary["columns"] for way in value_lists.READERS)
    tables.main(None)
    text = (study_flags / "results/README.md").read_text()
    assert "| history of 100 | 100 |" in text and "1,000 rows" in text


def test_shares_are_of_the_rates_without_the_column(study_flags, monkeypatch):
    def prepared(log, folder, column=None):
        return column, 2.0 if column is None else 8.0

    def read_in_turn(sets):
        return {
            (way, column): [1000.0 if column is None else rate] * 2
            for way, rate in (("training", 500.0), ("evaluating", 250.0))
            for column in sets
        }

    monkeypatch.setattr(value_lists, "prepared", prepared)
    monkeypatch.setattr(value_lists, "read_in_turn", read_in_turn)
    with flagsaver.flagsaver(list_rows=1000):
        value_lists.main(None)
    found = read_result("speed/value_lists.json")
    shares = [
        (r["preparing"], r["training"]["mean"], r["evaluating"]["mean"]) for r in found["columns"]
    ]
    assert shares == [(0.25, 0.5, 0.25)] * len(value_lists.LENGTHS)
    assert found["without"]["preparing"] == 500 and found["without"]["training"]["mean"] == 1000
