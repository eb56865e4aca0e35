import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.speed import scaling
from experiments.speed.paper_sizes import Size
from interhat_tf.utils.files import read_json


@pytest.mark.slow
def test_one_thing_is_changed_at_a_time(study_flags, monkeypatch):
    monkeypatch.setattr(scaling, "CRITEO", Size(4, 0, 1_000, 10_000))
    axes = {"features": [500, 1_000], "fields": [2, 5], "heads": [1, 3], "order": [2, 3]}
    axes["batch"] = [8, 16]
    monkeypatch.setattr(scaling, "AXES", axes)
    with flagsaver.flagsaver(scaling_rounds=2, scaling_steps=1):
        scaling.main(None)
    found = read_json(study_flags / "results/scaling/summary.json")["axes"]
    assert {axis: list(models) for axis, models in found.items()} == {
        axis: ["interhat", "interhat_s"] if axis == "order" else ["interhat"] for axis in axes
    }
    for axis, models in found.items():
        for rows in models.values():
            assert [row["value"] for row in rows["rows"]] == axes[axis]
            assert all(row["rows_per_second"] > 0 for row in rows["rows"])
    assert "line" in found["order"]["interhat_s"]


def test_what_is_given_reaches_the_model(monkeypatch):
    monkeypatch.setattr(scaling, "CRITEO", Size(4, 0, 1_000, 10_000))
    model = scaling.training("interhat", features=600, fields=3, heads=5, order=2, batch=8).model
    assert model.num_fields == 3 and sum(model.schema.vocabulary_sizes) == 600
    assert (model.attention.num_heads, model.order) == (5, 2)


def test_a_line_is_found():
    rows = [{"value": k, "seconds_per_step": {"mean": 0.5 + 0.1 * k}} for k in (1, 2, 4)]
    found = scaling.line(rows)
    np.testing.assert_allclose(list(found.values()), [0.1, 0.5, 1.0])
