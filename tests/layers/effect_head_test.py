import numpy as np
import pytest

from interhat_tf.layers import EffectHead
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import randomise, weights_of


@pytest.fixture
def fields(rng):
    return rng.normal(size=(6, 3, 2)).astype("float32")


@pytest.fixture
def summary(rng):
    return rng.normal(size=(6, 4)).astype("float32")


def built(fields, summary, **arguments):
    head = EffectHead(units=5, **arguments)
    head.build(fields.shape, summary.shape)
    return head


def test_equals_the_equation(fields, summary):
    head = randomise(built(fields, summary, num_pairs=3))
    head.normalization.moving_variance.assign(np.linspace(0.5, 2, 10))
    w = weights_of(head)
    inputs = np.concatenate([fields.reshape(6, 6), summary], axis=1)
    inputs = inputs - w["normalization/moving_mean"]
    inputs = inputs / np.sqrt(w["normalization/moving_variance"])
    hidden = np.maximum(inputs @ w["hidden/kernel"] + w["hidden/bias"], 0)
    found = head(fields, summary)
    effects = hidden @ w["effects/kernel"] + w["effects/bias"]
    np.testing.assert_allclose(found["effects"], effects, rtol=1e-4, atol=1e-5)
    pair_effects = hidden @ w["pair_effects/kernel"]
    np.testing.assert_allclose(found["pair_effects"], pair_effects, rtol=1e-4, atol=1e-5)
    assert np.std(effects) > 0.01 and np.std(pair_effects) > 0.01


def test_starts_without_any_effect(fields, summary):
    found = built(fields, summary, num_pairs=3)(fields, summary)
    assert {name: values.shape for name, values in found.items()} == {
        "effects": (6, 3),
        "pair_effects": (6, 3),
    }
    assert not any(np.any(values) for values in found.values())


def test_in_training_the_size_of_a_number_makes_no_difference(fields, summary):
    head = randomise(built(fields, summary))
    same = head(fields, summary, training=True)["effects"]
    other = head(1e-3 * fields, 100 * summary + 3, training=True)["effects"]
    np.testing.assert_allclose(other, same, rtol=0, atol=1e-3)
    assert np.abs(head(1e-3 * fields, summary)["effects"] - same).max() > 0.5 * np.std(same)


def test_small_numbers_are_told_apart(rng, summary):
    # As embeddings under a strong penalty are.
    fields = (1e-3 + 1e-5 * rng.normal(size=(6, 3, 2))).astype("float32")
    head = randomise(built(fields, summary))
    inputs = np.concatenate([fields.reshape(6, 6), summary], axis=1).astype("float64")
    head.normalization.moving_mean.assign(inputs.mean(axis=0))
    head.normalization.moving_variance.assign(inputs.var(axis=0))
    w = weights_of(head)
    normalised = inputs - w["normalization/moving_mean"].astype("float64")
    normalised /= np.sqrt(w["normalization/moving_variance"] + 1e-12)
    hidden = np.maximum(normalised @ w["hidden/kernel"] + w["hidden/bias"], 0)
    effects = hidden @ w["effects/kernel"] + w["effects/bias"]
    np.testing.assert_allclose(head(fields, summary)["effects"], effects, atol=1e-3)
    assert np.std(effects) > 0.1


@pytest.mark.parametrize("num_pairs", [0, 3])
def test_follows_the_layer_contract(fields, summary, num_pairs):
    head = randomise(built(fields, summary, num_pairs=num_pairs))
    check_layer_contract(head, fields, summary)
    assert ("pair_effects" in head(fields, summary)) == bool(num_pairs)


def test_rejects_a_width_of_nothing():
    with pytest.raises(ValueError, match=r"width of an effect head, must be at least 1, got 0"):
        EffectHead(units=0)


@pytest.mark.parametrize("training", [False, True])
def test_another_value_of_what_hardly_varies_does_not_decide_all(fields, summary, training):
    fields[:, 2] = 0.5  # a field of one value
    head = randomise(built(fields, summary))
    head.normalization.momentum = 0.0
    head(fields, summary, training=True)
    head.normalization.momentum = 1.0
    usual = head(fields, summary, training=training)["effects"]
    fields[0, 2] = 0.6
    other = head(fields, summary, training=training)["effects"]
    assert np.abs(other - usual)[0].max() < 10 * np.std(usual)


def test_inference_is_what_training_learnt_of_fields_that_vary_less(fields, summary):
    fields[:, 1] *= 0.01  # a ten-thousandth of the variance
    head = randomise(built(fields, summary))
    head.normalization.momentum = 0.0
    head(fields, summary, training=True)
    learnt = head(fields, summary, training=True)["effects"]
    np.testing.assert_allclose(head(fields, summary)["effects"], learnt, rtol=0.05, atol=0.01)
