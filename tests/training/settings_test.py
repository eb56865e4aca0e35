import pytest
import tensorflow as tf

from interhat_tf import InterHAt
from interhat_tf.models import DeepFM
from interhat_tf.training import TrainingSettings

PRESET = {"learning_rate": 3e-3, "microbatch_size": 16}


def with_preset(model):
    model.training_settings = PRESET
    return model


def test_an_unknown_optimizer():
    with pytest.raises(ValueError, match="optimizer 'sgd': not of adam, lazy_adam"):
        TrainingSettings(optimizer="sgd")


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
def test_a_momentum_that_is_none(momentum):
    with pytest.raises(ValueError, match="ema_momentum must be at least 0 and below 1"):
        TrainingSettings(ema_momentum=momentum)


def test_settings_are_those_of_the_models_preset(schema, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    model = with_preset(InterHAt(schema))
    assert TrainingSettings.of_model(model) == TrainingSettings(**PRESET)
    changed = TrainingSettings.of_model(model, learning_rate=1e-3, seed=5)
    assert changed == TrainingSettings(learning_rate=1e-3, microbatch_size=16, seed=5)
    assert TrainingSettings.of_model(DeepFM(schema)) == TrainingSettings()


def test_microbatches_of_a_preset_are_dropped_where_they_cannot_be(schema, monkeypatch):
    for model in (InterHAt(schema, dropout=0.1), DeepFM(schema, batch_norm=True)):
        settings = TrainingSettings.of_model(with_preset(model))
        assert (settings.microbatch_size, settings.learning_rate) == (None, 3e-3)
    model = with_preset(InterHAt(schema))
    assert TrainingSettings.of_model(model, jit_compile=True).microbatch_size is None
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert TrainingSettings.of_model(model).microbatch_size is None


def test_microbatches_that_are_asked_for_stay(schema):
    model = with_preset(InterHAt(schema, dropout=0.1))
    assert TrainingSettings.of_model(model, microbatch_size=8).microbatch_size == 8


def test_the_optimizer_takes_the_penalties_of_tables(schema):
    model = InterHAt(schema, embedding_l2=1e-3, dense_l2=1e-3)
    optimizer = TrainingSettings(beta_2=0.98).make_optimizer(model)
    assert optimizer.table_l2 == {model.embedding.table.path: 1e-3}
    assert optimizer.beta_2 == 0.98
    lazy = TrainingSettings(optimizer="lazy_adam").make_optimizer(model)
    assert not hasattr(lazy, "table_l2")
