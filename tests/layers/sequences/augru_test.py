import keras
import numpy as np
import pytest

from interhat_tf.layers import AUGRU
from tests.layers import reference
from tests.layers.contract import check_layer_contract
from tests.layers.sequences.histories import (
    LENGTHS,
    OTHERS,
    PRESENT,
    VALUES,
    check_no_gradient_of_padding,
)
from tests.numpy_reference import randomise, weights_of

ATTENTION = (np.random.default_rng(2).uniform(size=PRESENT.shape) * PRESENT).astype("float32")


def make(**arguments):
    layer = AUGRU(4, **arguments)
    layer(VALUES, ATTENTION)
    return randomise(layer)


@pytest.mark.parametrize("kernels", ["0", "1"], ids=["TensorFlow's operations", "kernel"])
def test_equals_numpy_record_by_record(kernels, monkeypatch):
    monkeypatch.setenv("INTERHAT_KERNELS", kernels)
    layer = make()
    states, weights = layer(VALUES, ATTENTION), weights_of(layer)
    for record, length in enumerate(LENGTHS):
        values, attention = (x[record].astype("float64") for x in (VALUES, ATTENTION))
        expected = reference.augru(values, attention, weights)
        np.testing.assert_allclose(states[record], expected, rtol=1e-4, atol=1e-5)
        # Behind the last value the state stands still, exactly.
        last = states[record, length - 1] if length else np.zeros(4)
        for behind in range(length, 5):
            np.testing.assert_array_equal(states[record, behind], last)


def test_with_weights_of_one_it_is_the_gru_of_keras():
    layer, gru = make(), keras.layers.GRU(4, return_sequences=True, reset_after=True)
    gru.build(VALUES.shape)
    kernel, recurrent_kernel, bias = layer.get_weights()
    for weight in (kernel, recurrent_kernel, bias):
        weight[..., :4] *= -1  # Keras' update gate z is 1 - u.
    gru.set_weights([kernel, recurrent_kernel, np.stack([bias, np.zeros(12)])])
    expected = gru(VALUES, mask=PRESENT)
    # Without a value before it, Keras' masked output is 0 too.
    np.testing.assert_allclose(
        layer(VALUES, PRESENT.astype("float32")), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "float64"])
def test_padding_changes_nothing(dtype):
    layer = make(dtype=dtype)
    states = layer(VALUES, ATTENTION)
    assert keras.backend.standardize_dtype(states.dtype) == layer.compute_dtype
    np.testing.assert_array_equal(states, layer(OTHERS, ATTENTION))
    assert not np.any(states[1])


def test_padding_has_no_gradient():
    layer = make()
    check_no_gradient_of_padding(lambda values: layer(values, ATTENTION)[:, -1])


def test_follows_the_layer_contract():
    check_layer_contract(make(), VALUES, ATTENTION)


def test_regulariser_penalises_all_weights():
    layer = make(kernel_regularizer=keras.regularizers.L2(0.1))
    squares = sum(np.sum(np.square(weight)) for weight in layer.weights)
    np.testing.assert_allclose(sum(layer.losses), 0.1 * squares, rtol=1e-5)
