import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf.layers import AuxiliaryLoss
from tests.layers.contract import check_layer_contract
from tests.layers.sequences.histories import PRESENT, VALUES

IDS = np.where(PRESENT, np.arange(20).reshape(4, 5), -1)
STATES = np.random.default_rng(3).normal(size=VALUES.shape).astype("float32")


def loss_of(layer, *inputs):
    layer(*inputs, training=True)
    (loss,) = layer.losses
    return float(loss)


def test_equals_the_equation_for_the_values_that_are_drawn():
    layer, twin = AuxiliaryLoss(0.5, seed=1), AuxiliaryLoss(seed=1)
    negatives, counts = (np.asarray(x) for x in twin._draw(tf.constant(VALUES), PRESENT))
    terms = [
        -np.log(1 / (1 + np.exp(-h @ following))) - np.log(1 - 1 / (1 + np.exp(-h @ negative)))
        for h, following, negative, counts_too in zip(
            STATES[:, :-1].reshape(-1, 6).astype("float64"),
            VALUES[:, 1:].reshape(-1, 6).astype("float64"),
            negatives.reshape(-1, 6).astype("float64"),
            counts.reshape(-1),
            strict=True,
        )
        if counts_too
    ]
    assert 0 < len(terms) <= 6  # there are 2 + 4 values that follow another
    np.testing.assert_allclose(
        loss_of(layer, STATES, VALUES, PRESENT), 0.5 * np.mean(terms), rtol=1e-5
    )


def test_negatives_are_values_of_other_records():
    layer = AuxiliaryLoss(seed=1)
    vectors = tf.constant(IDS[:, :, None].astype("float32"))  # that are ids
    drawn = [layer._draw(vectors, PRESENT) for _ in range(200)]
    found = np.stack([np.asarray(negatives)[..., 0] for negatives, _ in drawn])  # (200, 4, 4)
    counted = np.stack([np.asarray(counts) for _, counts in drawn])
    for record in range(4):
        others = set(IDS[PRESENT & (np.arange(4) != record)[:, None]])
        of_record = found[:, record][counted[:, record]]
        assert set(of_record) == (others if PRESENT[record].sum() > 1 else set())
    assert not counted[:, ~PRESENT[:, 1:]].any()
    # A value that is not there is drawn of the record without any, and does not count.
    assert 0.5 < counted[:, PRESENT[:, 1:]].mean() < 0.8


def test_a_negative_that_is_what_follows_does_not_count():
    assert loss_of(AuxiliaryLoss(), STATES, np.ones_like(VALUES), PRESENT) == 0


def test_padding_changes_nothing():
    other = np.where(PRESENT[:, :, None], VALUES, np.float32(100.0))
    losses = [loss_of(AuxiliaryLoss(seed=1), STATES, x, PRESENT) for x in (VALUES, other)]
    assert losses[0] == losses[1] > 0


def test_one_record_has_no_negatives():
    assert loss_of(AuxiliaryLoss(), STATES[:1], VALUES[:1], PRESENT[:1]) == 0


@pytest.mark.parametrize("layer", [AuxiliaryLoss(), AuxiliaryLoss(0.0)])
def test_the_loss_is_of_training_alone(layer):
    np.testing.assert_array_equal(layer(STATES, VALUES, PRESENT, training=not layer.weight), STATES)
    assert not layer.losses


def test_what_is_drawn_follows_from_the_seed_and_goes_on():
    first, second = AuxiliaryLoss(seed=5), AuxiliaryLoss(seed=5)
    losses = [loss_of(first, STATES, VALUES, PRESENT) for _ in range(3)]
    assert losses == [loss_of(second, STATES, VALUES, PRESENT) for _ in range(3)]
    assert len(set(losses)) > 1


def test_half_precision_loss_is_float32():
    layer = AuxiliaryLoss(seed=1, dtype="mixed_float16")
    layer(STATES, VALUES, PRESENT, training=True)
    assert layer.losses[0].dtype == "float32"
    exact = loss_of(AuxiliaryLoss(seed=1), STATES, VALUES, PRESENT)
    np.testing.assert_allclose(layer.losses[0], exact, rtol=0.02)


def test_follows_the_layer_contract():
    check_layer_contract(AuxiliaryLoss(0.5, seed=3), STATES, VALUES, PRESENT)


def test_keras_adds_it_to_what_it_minimises():
    inputs = [keras.Input(VALUES.shape[1:]), keras.Input(PRESENT.shape[1:], dtype="bool")]
    model = keras.Model(inputs, AuxiliaryLoss(0.5)(inputs[0], *inputs))
    model.compile("sgd", "mse")
    found = model.train_on_batch([VALUES, PRESENT], VALUES)
    assert found > 0.1, "the squared error is 0"
