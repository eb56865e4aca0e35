"""Tests of when training stops: the criterion, and `fit` beside `train`."""

import keras
import numpy as np
import pytest

from interhat_tf import Adam, InterHAt
from interhat_tf.training import TrainingSettings, evaluate, train
from interhat_tf.training.averaged_weights import WeightAveraging
from interhat_tf.training.early_stopping import BestEpoch, EarlyStopping

SETTINGS = TrainingSettings(
    batch_size=200, learning_rate=0.03, max_epochs=30, patience=2, ema_momentum=0.9
)


def make_model(schema):
    keras.utils.set_random_seed(0)
    return InterHAt(schema, embedding_dim=4, num_heads=2, attention_size=4, order=2)


def test_a_gain_is_more_auc_or_less_logloss():
    best = BestEpoch()
    # (AUC, logloss): a sum of the two would take the second for a gain and the third for none.
    epochs = [(0.70, 0.50), (0.71, 0.60), (0.70, 0.40), (0.72, 0.40), (0.72, 0.40)]
    gains = [best.update(epoch, *metrics) for epoch, metrics in enumerate(epochs)]
    assert gains == [True, False, True, True, False]
    assert (best.best_epoch, best.epochs_without_gain) == (3, 1)
    assert best.best_score == pytest.approx(0.32)


def test_a_tiny_gain_counts_as_none():
    best = BestEpoch()
    assert best.update(0, 0.7, 0.5)
    assert not best.update(1, 0.7, 0.5 - 5e-6)
    assert best.update(2, 0.7, 0.5 - 2e-5)


@pytest.mark.slow
def test_fit_stops_where_train_stops(rule_data, tmp_path):
    trained = make_model(rule_data.schema)
    report = train(trained, rule_data, tmp_path, SETTINGS, test=False)

    fitted = make_model(rule_data.schema)
    fitted.compile(Adam(SETTINGS.learning_rate), keras.losses.BinaryCrossentropy(from_logits=True))
    stopping = EarlyStopping(rule_data.evaluation_batches("validation", 400))
    history = fitted.fit(
        rule_data.training_batches(SETTINGS.batch_size, SETTINGS.seed),
        steps_per_epoch=rule_data.num_batches(SETTINGS.batch_size),
        epochs=SETTINGS.max_epochs,
        callbacks=[WeightAveraging(SETTINGS.ema_momentum), stopping],
        verbose=0,
    ).history

    assert 2 < len(history["loss"]) == len(report["history"]) < SETTINGS.max_epochs
    assert stopping.best.best_epoch + 1 == report["best_epoch"]
    for name in ("validation_auc", "validation_logloss"):
        expected = [epoch[name] for epoch in report["history"]]
        np.testing.assert_allclose(history[name], expected, atol=1e-3)
    # Both have the best weights, and the last learning rate.
    assert evaluate(fitted, rule_data, "validation") == pytest.approx(
        {
            name: history[f"validation_{name}"][report["best_epoch"] - 1]
            for name in ("auc", "logloss")
        }
    )
    rate = SETTINGS.learning_rate * SETTINGS.learning_rate_factor**SETTINGS.patience
    assert float(fitted.optimizer.learning_rate) <= rate * (1 + 1e-6)


def test_the_callback_begins_again_with_every_fit(rule_data):
    model = make_model(rule_data.schema)
    model.compile(Adam(0.0), keras.losses.BinaryCrossentropy(from_logits=True))
    batches = rule_data.evaluation_batches("validation", 400)
    stopping = EarlyStopping(batches, patience=1, learning_rate_factor=0.5)
    for _ in range(2):
        history = model.fit(batches, epochs=9, callbacks=[stopping], verbose=0).history
        assert len(history["loss"]) == 2  # no gain in the second
        assert stopping.best.best_epoch == 0
