import pytest
from absl.testing import flagsaver

from experiments.speed import pieces
from interhat_tf.utils.files import read_json


@pytest.mark.slow
def test_all_kinds_are_timed_in_processes_of_their_own(study_flags):
    with flagsaver.flagsaver(step_rows=128, smaller=[64], turns=1):
        pieces.main(None)
    rows = read_json(study_flags / "results/pieces/summary.json")["rows"]
    kinds = [
        ("whole", None),
        ("pieces", 64),
        ("tensorflow", None),
        ("keras", None),
        ("keras_xla", None),
    ]
    assert [(row["form"], row["kind"], row["piece_rows"]) for row in rows] == [
        (form, *kind) for form in pieces.FORMS for kind in kinds
    ]
    for row in rows:
        assert row["rows_per_second"]["mean"] > 0
        assert row["kind"] != "whole" or row["gain"]["mean"] == 1
        assert row["kind"] != "keras" or row["gain_over_keras"]["mean"] == 1
