import pytest
from absl.testing import flagsaver

from experiments import pieces
from interhat_tf.files import read_json


@pytest.mark.slow
def test_both_kinds_are_timed_in_processes_of_their_own(study_flags):
    with flagsaver.flagsaver(smaller=[512], turns=1):
        pieces.main(None)
    rows = read_json(study_flags / "results/pieces/summary.json")["rows"]
    assert [(row["form"], row["piece_rows"]) for row in rows] == [
        (form, piece_rows) for form in pieces.FORMS for piece_rows in (None, 512)
    ]
    for row in rows:
        assert row["rows_per_second"]["mean"] > 0
        assert row["piece_rows"] or row["gain"]["mean"] == 1
