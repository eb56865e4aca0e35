"""Tests of mending a model's probabilities on validation records."""

import keras
import numpy as np
import pytest

from interhat_tf.calibration import Calibration
from interhat_tf.models import LR
from interhat_tf.training import align_attention, calibrate, predict_logits, reliability
from interhat_tf.training.calibrating import calibration_figures, fit_calibration
from interhat_tf.training.metrics import logloss
from tests.training.runs import make_model, run


@pytest.fixture(scope="module")
def trained(rule_data, tmp_path_factory):
    """A trained model whose logits say three times what they should."""
    keras.utils.set_random_seed(0)
    model = LR(rule_data.schema)
    run(rule_data, tmp_path_factory.mktemp("run"), model, max_epochs=4)
    model.set_weights([3 * weight for weight in model.get_weights()])
    return model


@pytest.fixture
def model(trained):
    """The same, without a calibration."""
    trained.calibration = None
    return trained


@pytest.mark.parametrize("method", [None, "platt", "isotonic"])
def test_what_says_too_much_comes_true(model, rule_data, method):
    _, logits = predict_logits(model, rule_data, "test")
    before = reliability(model, rule_data, "test")
    found = calibrate(model, rule_data, method)
    after = reliability(model, rule_data, "test")
    assert after.expected_calibration_error < 0.6 * before.expected_calibration_error
    assert abs(after.ratio - 1) < abs(before.ratio - 1)
    assert model.calibration.method == found["method"] != "none"
    assert method in (None, found["method"])
    assert found["records"] == model.calibration.records == rule_data.num_rows("validation")
    assert found["platt"]["logloss"] < found["none"]["logloss"]
    np.testing.assert_array_equal(predict_logits(model, rule_data, "test")[1], logits)


def test_figures_are_of_records_that_were_left_out(model, rule_data):
    found = calibrate(model, rule_data, "isotonic")
    labels, logits = predict_logits(model, rule_data, "validation")
    fitted = calibration_figures(labels, model.calibration.probability(logits))
    assert fitted["logloss"] < found["isotonic"]["logloss"]
    assert fitted["ratio"] == pytest.approx(1, abs=0.01)
    assert found["none"]["logloss"] == pytest.approx(logloss(labels, logits))


def test_none_drops_it_and_the_best_is_chosen(model, rule_data):
    model.calibration = Calibration("platt", 1)
    assert calibrate(model, rule_data, "none")["method"] == "none"
    assert model.calibration is None
    found = calibrate(model, rule_data)
    assert found[found["method"]]["logloss"] == min(
        found[name]["logloss"] for name in ("none", "platt", "isotonic")
    )


def test_it_is_saved_with_the_model_and_dropped_by_training(rule_data, tmp_path):
    model = make_model(rule_data.schema)
    for method in ("platt", "isotonic"):
        labels, logits = np.arange(200) % 2, np.linspace(-1, 1, 200) + np.arange(200) % 2
        model.calibration = Calibration.fit(labels, logits, method)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert loaded.calibration == model.calibration
    align_attention(model, rule_data, epochs=1)
    assert model.calibration is None
    model = LR(rule_data.schema)
    model.calibration = Calibration("platt", 1)
    run(rule_data, tmp_path / "run", model, max_epochs=1)
    assert model.calibration is None
    assert keras.models.load_model(tmp_path / "run/model.keras").calibration is None


def test_a_finished_run_gives_its_models_calibration(rule_data, tmp_path):
    model = LR(rule_data.schema)
    run(rule_data, tmp_path / "run", model, max_epochs=1)
    calibrate(model, rule_data, "platt")
    model.save(tmp_path / "run/model.keras")
    other = LR(rule_data.schema)
    run(rule_data, tmp_path / "run", other, max_epochs=1, resume=True)
    assert other.calibration == model.calibration


def test_what_is_refused(rule_data, schema):
    with pytest.raises(ValueError, match="method must be one of none, platt, isotonic; got 'beta'"):
        calibrate(make_model(rule_data.schema), rule_data, "beta")
    with pytest.raises(ValueError, match="schema is not that of the data set"):
        calibrate(make_model(schema), rule_data)


def test_a_method_that_cannot_be_fitted_is_not_in_the_way_of_others():
    labels, logits = np.zeros(1000), np.random.default_rng(0).normal(size=1000)
    labels[17] = 1  # so that one fold's others have no click
    assert fit_calibration(labels, logits, "none")[0] is None
    with pytest.raises(ValueError, match=r"all labels are the same|no more frequent"):
        fit_calibration(labels, logits)
    logits[17] = 5.0
    fitted, found = fit_calibration(labels, logits, "platt")
    assert fitted == Calibration.fit(labels, logits, "platt")
    assert found["platt"] is None and found["none"]["logloss"] > 0
