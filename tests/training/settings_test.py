import types

import pytest
import tensorflow as tf

from interhat_tf import InterHAt
from interhat_tf.models import MODELS, DeepFM
from interhat_tf.training import TrainingSettings

PRESET = {"learning_rate": 3e-3, "microbatch_size": 16}


def with_preset(model):
    model.training_settings = PRESET
    return model


def test_an_unknown_optimizer():
    with pytest.raises(ValueError, match="optimizer must be one of adam, lazy_adam; got 'sgd'"):
        TrainingSettings(optimizer="sgd")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("learning_rate", 0.0, "above 0"),
        ("learning_rate", -1.0, "above 0"),
        ("learning_rate", float("nan"), "above 0"),
        ("learning_rate", float("inf"), "above 0"),
        ("beta_2", 1, "at least 0 and below 1"),
        ("ema_momentum", -0.1, "at least 0 and below 1"),
        ("ema_momentum", 1.0, "at least 0 and below 1"),
        ("max_epochs", 0, "at least 1"),
        ("patience", -1, "at least 1"),
        ("patience", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
        ("batch_size", -5, "at least 1"),
        ("batch_size", 2.5, "a whole number"),
        ("microbatch_size", -5, "at least 0"),
        ("input_shards", 0, "at least 1"),
        ("seed", -1, "at least 0"),
        ("effect_weight", -0.1, "at least 0"),
        ("positive_weight", 0.0, "above 0"),
        ("unknown_share", 1.0, "at least 0 and below 1"),
        ("self_distillation", -0.1, "at least 0"),
        ("learning_rate_factor", 0.0, "above 0"),
    ],
)
def test_numbers_that_settings_cannot_be(name, value, rule):
    with pytest.raises(ValueError, match=f"^{name} must be {rule}, got {value}"):
        TrainingSettings(**{name: value})


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        *(("interhat", name, 0) for name in ("key_dim", "order_attention_size", "attention_size")),
        *(("interhat", name, 0) for name in ("embedding_dim", "num_heads")),
        ("interhat", "mlp_units", (8, 0)),
        ("interhat", "dropout", 1.0),
        ("interhat", "dense_l2", -1e-6),
        ("interhat", "embedding_l2", float("nan")),
        ("xdeepfm", "cin_units", (0,)),
        ("autoint", "num_layers", 0),
        ("dcn", "num_cross_layers", -1),
        ("interhat", "attention_size", 2.5),
    ],
)
def test_numbers_that_models_cannot_have(schema, model, name, value):
    with pytest.raises(ValueError, match=f"^{name} must be "):
        MODELS[model](schema, **{name: value})


def test_what_is_left_to_the_data_set(schema, monkeypatch, rule_data):
    model = InterHAt(schema)
    settings = TrainingSettings().complete(model, rule_data)
    assert (settings.input_shards, settings.unknown_share) == (1, 0.0)  # no log of one's own
    metadata = {**rule_data.metadata, "unknown_share": 0.03}
    monkeypatch.setattr(rule_data, "_info", types.SimpleNamespace(metadata=metadata))
    assert TrainingSettings().complete(model, rule_data).unknown_share == 0.03
    chosen = TrainingSettings(unknown_share=0.0, input_shards=4)
    assert chosen.complete(model, rule_data) == chosen


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
