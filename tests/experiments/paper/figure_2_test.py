import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.paper import figure_2
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from interhat_tf.utils.files import read_json


@pytest.mark.parametrize(("name", "fields"), [("criteo", 36), ("avazu", 21)])
def test_the_sizes_are_the_papers(name, fields):
    schema = schema_of(SIZES[name])
    assert len(schema.fields) == fields
    assert sum(schema.vocabulary_sizes) == {"criteo": 605_700, "avazu": 23_800}[name]
    assert min(schema.vocabulary_sizes) >= 2


def test_batches_follow_the_schema_and_are_skewed():
    schema = schema_of(SIZES["avazu"])
    batches = list(batches_of(schema, 500, batches=2).take(4).as_numpy_iterator())
    for inputs, labels in batches:
        schema.check(inputs)
        assert set(labels) == {0.0, 1.0}
    for inputs, other in zip(batches[0], batches[2], strict=True):
        np.testing.assert_equal(inputs, other)  # the two batches come again
    largest = batches[0][0]["categorical"][:, -1]
    assert np.median(largest) < schema.vocabulary_sizes[-1] / 20


@pytest.mark.slow
def test_models_are_timed_in_turn(study_flags):
    with flagsaver.flagsaver(
        size="avazu", batch=16, steps=1, rounds=2, models=["deepfm", "interhat", "interhat_paper"]
    ):
        figure_2.main(None)
    summary = read_json(study_flags / "results/efficiency/avazu/summary.json")
    models = summary["models"]
    assert list(models) == ["deepfm", "interhat", "interhat_paper"]
    for row in models.values():
        assert len(row["rounds"]) == 2 and min(row["rounds"]) > 0
        seconds = row["rows_per_second"] * row["seconds_per_epoch"]["mean"]
        assert seconds == pytest.approx(SIZES["avazu"].epoch_rows)
    assert models["interhat"]["arguments"]["num_heads"] == 8  # Table 2
    assert models["interhat_paper"]["arguments"]["key_dim"] == 1  # d / h
    assert models["deepfm"]["arguments"]["embedding_dim"] == 8


def test_a_model_that_is_not_timed(study_flags):
    with (
        flagsaver.flagsaver(models=["fm"]),
        pytest.raises(ValueError, match="--models: fm: not of wide_deep, dcn"),
    ):
        figure_2.main(None)
