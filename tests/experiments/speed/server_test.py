"""The program on a small log, with few calls."""

import pytest
from absl.testing import flagsaver

from experiments.speed import server
from interhat_tf.utils.files import read_json

pytest.importorskip("fastapi")


@pytest.mark.slow
def test_a_server_is_asked_and_sent_what_is_wrong(study_flags, monkeypatch):
    monkeypatch.setattr(server, "CALLS", {1: 3, 10: 2})
    with flagsaver.flagsaver(served_rows=500, wrong_calls=22):
        server.main(None)
    summary = read_json(study_flags / "results/speed/server.json")
    assert [row["records"] for row in summary["rows"]] == [1, 10]
    assert all(0 < row["p50"] <= row["p99"] for row in summary["rows"])
    assert sum(summary["refused"].values()) == 22 and set(summary["refused"]) <= {"400", "422"}
