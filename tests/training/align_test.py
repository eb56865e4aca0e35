"""Tests of aligning the attention of a trained model."""

import numpy as np
import pytest

from interhat_tf.calibration import Calibration
from interhat_tf.explanation.attributions import attention
from interhat_tf.models import DNN
from interhat_tf.training import TrainingSettings, align, align_attention, evaluate, predict_logits
from tests.models.held_effects import with_effects
from tests.training.runs import make_model, run

SETTINGS = {"batch_size": 100, "learning_rate": 0.01}


@pytest.mark.slow
def test_the_weights_come_to_name_the_fields_that_decide(rule_data, tmp_path):
    model = make_model(rule_data.schema, dropout=0.0, mlp_units=(8,))
    run(rule_data, tmp_path, model, max_epochs=6, **SETTINGS)
    before = model.get_weights()
    history = align_attention(model, rule_data, weight=0.1, epochs=6, ema_momentum=0.9, **SETTINGS)
    assert len(history) == 7 and set(history[0]) == {"auc", "logloss"}
    assert history[-1] == evaluate(model, rule_data, "validation")  # of the averages
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    assert "attention" in model.diagnosis
    records, _ = next(iter(rule_data.evaluation_batches("validation", 400)))
    rule = [rule_data.id_of("f1", "b1"), rule_data.id_of("f2", "b2")]
    match = (records["categorical"].numpy()[:, :2] == rule).all(axis=1)
    weights = attention(model, {"categorical": records["categorical"][match]}).mean(axis=0)
    assert weights[:2].min() > 0.3 and weights[2:].max() < 0.15, weights


def test_what_the_model_predicted_before_teaches_it(rule_data, monkeypatch):
    teachers, compile_steps = [], align.compile_steps

    def kept(*args, teacher, **how):
        teachers.append(teacher)
        return compile_steps(*args, teacher=teacher, **how)

    monkeypatch.setattr(align, "compile_steps", kept)
    model = make_model(rule_data.schema, dropout=0.5, value_dim=4)
    _, before = predict_logits(model, rule_data, "validation")
    align_attention(model, rule_data, epochs=1, alignment_labels=0.5, **SETTINGS)
    _, after = predict_logits(model, rule_data, "validation")
    assert np.abs(after - before).max() > 0.01
    _, of_teacher = predict_logits(teachers[0].model, rule_data, "validation")
    np.testing.assert_array_equal(of_teacher, before)
    assert teachers[0].labels == 0.5
    align_attention(model, rule_data, epochs=1, alignment_labels=1.0, **SETTINGS)
    assert teachers[1] is None  # no model beside it that nothing asks


def test_what_was_fitted_to_the_earlier_weights_is_dropped(rule_data, monkeypatch):
    monkeypatch.setattr(align, "align_in_epochs", lambda *_: [])
    model = with_effects(make_model(rule_data.schema))
    model.calibration = Calibration("platt", records=9, slope=2.0)
    align_attention(model, rule_data)
    assert model.calibration is None and model.effect_head is None


def test_what_is_refused(rule_data):
    with pytest.raises(ValueError, match="with attention weights, and DNN has none"):
        align_attention(DNN(rule_data.schema), rule_data)
    with pytest.raises(ValueError, match="weight and order_weight are both 0: nothing would be"):
        align_attention(make_model(rule_data.schema), rule_data, weight=0)
    with pytest.raises(ValueError, match="effect_weight must be at least 0, got -1"):
        align_attention(make_model(rule_data.schema), rule_data, weight=-1, order_weight=1)
    one = make_model(rule_data.schema, order=1)
    with pytest.raises(ValueError, match="order_weight needs a model of at least two orders"):
        align_attention(one, rule_data, order_weight=0.05)


@pytest.mark.parametrize(
    ("of_preset", "given", "first"),
    [(5e-4, {}, 5e-4), (3e-3, {}, 1e-3), (3e-3, {"learning_rate": 2e-3}, 2e-3)],
)
def test_the_first_rate_is_the_presets_and_at_most_a_thousandth(
    rule_data, monkeypatch, of_preset, given, first
):
    optimizers = []
    make_optimizer = TrainingSettings.make_optimizer

    def kept(settings, model):
        optimizers.append(make_optimizer(settings, model))
        return optimizers[-1]

    monkeypatch.setattr(TrainingSettings, "make_optimizer", kept)
    model = make_model(rule_data.schema)
    model.training_settings = {"learning_rate": of_preset, "batch_size": 400}
    align_attention(model, rule_data, epochs=1, **given)
    assert float(optimizers[0].learning_rate) == pytest.approx(first)
