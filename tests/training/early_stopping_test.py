"""Tests of when training stops: the criterion, and `fit` beside `train`."""

import keras
import numpy as np
import pytest

from interhat_tf import Adam, InterHAt
from interhat_tf.training import TrainingSettings, evaluate, train
from interhat_tf.training.averaged_weights import WeightAveraging
from interhat_tf.training.early_stopping import CRITERIA, BestEpoch, EarlyStopping
from interhat_tf.training.metrics import auc, logloss

SETTINGS = TrainingSettings(
    batch_size=200, learning_rate=0.03, max_epochs=30, patience=2, ema_momentum=0.9
)


def make_model(schema):
    keras.utils.set_random_seed(0)
    return InterHAt(schema, embedding_dim=4, num_heads=2, attention_size=4, order=2)


# AUC and logloss, epoch after epoch. A sum of the two would take the second for a gain.
EPOCHS = [(0.70, 0.50), (0.71, 0.60), (0.70, 0.40), (0.72, 0.40), (0.72, 0.40)]


@pytest.mark.parametrize(
    ("criterion", "gains", "score"),
    [
        ("logloss", [True, False, True, False, False], -0.4),
        ("auc - logloss", [True, False, True, True, False], 0.32),
        ("auc", [True, True, False, True, False], 0.72),
    ],
)
def test_a_gain_is_less_logloss_or_more_auc(criterion, gains, score):
    best = BestEpoch()
    scores = [CRITERIA[criterion](*metrics) for metrics in EPOCHS]
    found = [best.update(epoch, score) for epoch, score in enumerate(scores)]
    assert found == gains
    last = max(epoch for epoch, gain in enumerate(gains) if gain)
    assert (best.best_epoch, best.epochs_without_gain) == (last, 4 - last)
    assert best.best_score == pytest.approx(score)


def test_a_tiny_gain_counts_as_none():
    best = BestEpoch()
    assert best.update(0, 0.5)
    assert not best.update(1, 0.5 + 5e-6)
    assert best.update(2, 0.5 + 2e-5)


def test_noise_among_records_that_are_alike_fools_auc_alone(rng):
    """1 record in 9 is clicked with probability 0.9, the others with 0.2, as in dense Rule 2."""

    def logits(matches, of_matching, of_others):
        probability = np.where(matches, of_matching, of_others)
        noise = 0.02 * rng.normal(size=matches.size)  # the order of records that are alike
        return np.log(probability / (1 - probability)) + noise

    fooled = dict.fromkeys(CRITERIA, 0)
    for _ in range(100):
        matches = rng.random(2_000) < 1 / 9
        labels = rng.random(2_000) < np.where(matches, 0.9, 0.2)
        epochs = [logits(matches, 0.9, 0.2), logits(matches, 0.8, 0.23)]  # the second is worse
        for criterion in CRITERIA:
            best = BestEpoch()
            for epoch, of_epoch in enumerate(epochs):
                metrics = auc(labels, of_epoch), logloss(labels, of_epoch)
                best.update(epoch, CRITERIA[criterion](*metrics))
            fooled[criterion] += best.best_epoch
    assert fooled["auc - logloss"] > 25
    assert fooled["logloss"] == 0


def test_an_unknown_criterion():
    with pytest.raises(ValueError, match="one of auc - logloss, logloss, auc; got 'f1'"):
        TrainingSettings(criterion="f1")
    with pytest.raises(ValueError, match="one of auc - logloss, logloss, auc; got 'f1'"):
        EarlyStopping([], criterion="f1")


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


def test_another_callback_may_stop_the_training(rule_data):
    validation = rule_data.evaluation_batches("validation", 400)
    ending = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(ending.model, "stop_training", epoch == 1)
    )
    model = make_model(rule_data.schema)
    model.compile(Adam(1e-9), keras.losses.BinaryCrossentropy(from_logits=True))
    callbacks = [ending, EarlyStopping(validation, patience=6)]
    batches = rule_data.training_batches(400, 0).take(2)
    assert len(model.fit(batches, epochs=5, callbacks=callbacks, verbose=0).epoch) == 2


def test_what_it_cannot_do_is_refused_before_the_first_epoch(rule_data):
    with pytest.raises(ValueError, match="validation can be read once only"):
        EarlyStopping(iter([]))
    batches = rule_data.training_batches(400, 0).take(2)
    model = make_model(rule_data.schema)
    falling = keras.optimizers.schedules.ExponentialDecay(1e-9, 10, 0.9)
    model.compile(Adam(falling), keras.losses.BinaryCrossentropy(from_logits=True))
    validation = rule_data.evaluation_batches("validation", 400)
    with pytest.raises(ValueError, match="follows a schedule, which EarlyStopping cannot drop"):
        model.fit(batches, epochs=3, callbacks=[EarlyStopping(validation)], verbose=0)
    stopping = EarlyStopping(validation, patience=1, learning_rate_factor=1.0)
    assert len(model.fit(batches, epochs=5, callbacks=[stopping], verbose=0).epoch) == 2
