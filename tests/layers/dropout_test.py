import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from interhat_tf.layers.dropout import Dropout


@pytest.fixture(params=["0", "1"], ids=["without kernels", "with them"])
def switch(request, monkeypatch):
    monkeypatch.setenv(kernels.SWITCH, request.param)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_drops_as_keras_does_call_after_call(switch, rng, dtype):
    inputs = keras.ops.cast(rng.normal(size=(40, 7)), dtype)
    ours, theirs = (kind(0.3, seed=5, dtype=dtype) for kind in (Dropout, keras.layers.Dropout))
    of_graph = tf.function(lambda x: ours(x, training=True))
    for call in (ours, of_graph, of_graph, ours):
        found = call(inputs, training=True) if call is ours else call(inputs)
        np.testing.assert_array_equal(found, theirs(inputs, training=True))


def test_drops_nothing_outside_of_training(switch):
    ones = keras.ops.ones((5, 3))
    np.testing.assert_array_equal(Dropout(0.5)(ones), ones)
    np.testing.assert_array_equal(Dropout(0.0)(ones, training=True), ones)
    np.testing.assert_array_equal(Dropout(1.0)(ones, training=True), 0 * ones)


def test_a_noise_shape_is_left_to_keras(switch):
    ones = keras.ops.ones((50, 3))
    found = Dropout(0.5, noise_shape=(50, 1), seed=1)(ones, training=True).numpy()
    assert (found == found[:, :1]).all() and {0.0, 2.0} == set(found.ravel())
