import functools

import keras
import numpy as np
import pytest

from interhat_tf.layers import ActivationUnit
from tests.layers import reference
from tests.layers.contract import check_layer_contract
from tests.layers.sequences.histories import (
    LENGTHS,
    OTHERS,
    PRESENT,
    TARGET,
    VALUES,
    check_no_gradient_of_padding,
)
from tests.numpy_reference import inside, randomise, weights_of

FORMS = {
    "paper": {},
    "code": {"units": (8, 4), "activation": "sigmoid", "softmax": True},
    "deep": {"units": (5, 3), "activation": "dice"},
}
ALL = pytest.mark.parametrize("form", FORMS)


def make(form, **arguments):
    layer = ActivationUnit(**{**FORMS[form], **arguments})
    layer(VALUES, TARGET, PRESENT)
    return randomise(layer)


@ALL
def test_equals_numpy_record_by_record(form):
    layer = make(form)
    weights = weights_of(layer)
    activations = [
        reference.sigmoid
        if form == "code"
        else functools.partial(reference.dice, weights=inside(weights, f"activation_{i}"))
        for i in range(1, len(layer.units) + 1)
    ]
    found, of_values = layer(VALUES, TARGET, PRESENT)
    for record, length in enumerate(LENGTHS):
        values, target = VALUES[record, :length].astype("float64"), TARGET[record]
        v, a = reference.activation_unit(values, target, weights, activations, layer.softmax)
        np.testing.assert_allclose(found[record], v, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(of_values[record, :length], a, rtol=1e-4, atol=1e-5)
        assert not np.any(of_values[record, length:])
    assert np.std(found) > 0.1


@ALL
def test_follows_the_layer_contract(form):
    check_layer_contract(make(form), VALUES, TARGET, PRESENT)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
@pytest.mark.parametrize("training", [False, True])
@ALL
def test_padding_changes_nothing(form, training, dtype):
    outputs = [
        make(form, dtype=dtype)(values, TARGET, PRESENT, training=training)
        for values in (VALUES, OTHERS)
    ]
    for found, expected in zip(*outputs, strict=True):
        # A sum over rows may add up in another order; a padded value would shift it by far.
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not np.any(outputs[0][0][1]), "an empty history is a vector of zeros"


@pytest.mark.parametrize("training", [False, True])
@ALL
def test_padding_has_no_gradient(form, training):
    layer = make(form)
    check_no_gradient_of_padding(lambda x: layer(x, TARGET, PRESENT, training=training)[0])


def test_softmax_weights_sum_to_one_and_others_need_not():
    sums = {form: np.sum(make(form)(VALUES, TARGET, PRESENT)[1], axis=1) for form in FORMS}
    np.testing.assert_allclose(sums["code"], [1, 0, 1, 1], rtol=1e-5)
    assert not np.allclose(sums["paper"], [1, 0, 1, 1], atol=0.1)


def test_the_candidate_decides():
    layer = make("paper")
    _, of_one = layer(VALUES, TARGET, PRESENT)
    _, of_other = layer(VALUES, TARGET[::-1], PRESENT)
    assert np.abs(of_one - of_other).max() > 0.1


def test_regulariser_penalises_all_weights():
    layer = make("paper", kernel_regularizer=keras.regularizers.L2(0.1))
    squares = sum(np.sum(np.square(weight)) for weight in layer.trainable_weights)
    np.testing.assert_allclose(sum(layer.losses), 0.1 * squares, rtol=1e-5)
    assert len(layer.losses) == 5  # kernel, bias, alpha, kernel, bias


def test_needs_a_hidden_layer():
    with pytest.raises(ValueError, match="at least one hidden layer"):
        ActivationUnit(())
