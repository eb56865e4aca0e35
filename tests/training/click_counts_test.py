"""Tests of fields of click counts in training: they help, and no record learns its own label."""

import keras
import numpy as np
import pandas as pd
import pytest

from interhat_tf import Cross, InterHAt, TrainingSettings, prepare_click_log, train
from interhat_tf.explanation import explain_records
from interhat_tf.explanation.effect_targets import EffectTargets
from interhat_tf.explanation.record_values import with_crossed_values
from interhat_tf.models import FM, LR

PAIRS, ROWS = 40 * 40, 5
SETTINGS = TrainingSettings(batch_size=256, learning_rate=0.05, max_epochs=4)
COUNTS = Cross(("user", "app"), click_counts=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A log in which each pair of a user and an app has a coin, and users and apps say nothing."""
    rng = np.random.default_rng(0)
    pairs = rng.permutation(np.repeat(np.arange(PAIRS), ROWS))
    rates = rng.choice([0.1, 0.9], PAIRS)
    log = pd.DataFrame({"user": pairs // 40, "app": pairs % 40})
    log["click"] = (rng.random(len(log)) < rates[pairs]).astype(int)
    folder = tmp_path_factory.mktemp("prepared")
    return prepare_click_log(log, name="coins", data_dir=folder, split="position")


def trained(data, folder):
    keras.utils.set_random_seed(1)
    model = LR(data.schema)
    return model, train(model, data, folder, SETTINGS, test=False)["validation"]["auc"]


def test_counts_tell_what_single_fields_do_not(data, tmp_path):
    _, plain = trained(data, tmp_path / "plain")
    model, counted = trained(data.with_crosses([COUNTS]), tmp_path / "counted")
    assert plain < 0.65
    assert counted > 0.8
    saved = keras.saving.load_model(tmp_path / "counted/model.keras")
    records = data.encode({"user": ["3", "3", "77"], "app": ["4", "5", "4"]}, max_unknown=1.0)
    np.testing.assert_array_equal(saved(records), model(records))
    texts = with_crossed_values(model.schema, records, data.decode(records))[:, 2]
    assert texts[2] == "no record"
    assert all("click" in text and "other" in text for text in texts[:2])


def test_training_needs_the_folds(data, tmp_path):
    model = LR(data.with_crosses([COUNTS]).schema)
    with pytest.raises(ValueError, match=r"'clicks of user x app', .* open coins"):
        train(model, data, tmp_path / "run", SETTINGS)


def test_a_training_record_is_explained_as_any_other(data):
    data = data.with_crosses([COUNTS])
    model = InterHAt(data.schema, embedding_dim=4, num_heads=2)
    inputs, _ = next(data.evaluation_batches("train", 64).as_numpy_iterator())
    in_use = {"categorical": inputs["categorical"]}
    assert not np.allclose(model(inputs), model(in_use))
    explanation = explain_records(model, inputs, background=inputs)
    np.testing.assert_allclose(explanation.logits, model(in_use)[:, 0], rtol=1e-5, atol=1e-6)
    same = explain_records(model, in_use, background=in_use)
    np.testing.assert_array_equal(explanation.effects, same.effects)


def test_effects_compare_what_a_training_record_sees(data):
    data = data.with_crosses([COUNTS])
    model = FM(data.schema, embedding_dim=4)
    inputs, _ = next(iter(data.training_batches(64, seed=0)))
    targets = EffectTargets(model, "occlusion", pairs=False, seed=0)
    nothing, everything = (np.full((64, 2), value) for value in (False, True))
    same, other = targets._logits(inputs, [nothing, everything])
    np.testing.assert_allclose(same, model(inputs)[:, 0], rtol=1e-6)
    assert not np.allclose(same, model({"categorical": inputs["categorical"]})[:, 0])
    assert not np.allclose(other, same)
