import keras
import numpy as np
import pytest
from keras import ops

from interhat_tf.models.rescale import multipliers


def make(*units, activation="relu", bias=True, inputs=5):
    """Builds dense layers with random weights, biases too."""
    layers, rng = [], np.random.default_rng(0)
    for i, width in enumerate(units):
        last = i + 1 == len(units)
        layer = keras.layers.Dense(width, activation=None if last else activation, use_bias=bias)
        layer.build((None, inputs))
        layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
        layers.append(layer)
        inputs = width
    return layers


def run(layers, x):
    for layer in layers:
        x = layer(x)
    return np.asarray(x)[:, 0]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("units", [(1,), (7, 1), (7, 6, 1), (9, 8, 7, 1)])
def test_the_shares_add_up_to_the_output(rng, units, activation, bias):
    layers = make(*units, activation=activation, bias=bias)
    x = rng.normal(size=(200, 5)).astype("float32")
    values, base = multipliers(layers, ops.convert_to_tensor(x))
    assert float(base) == pytest.approx(run(layers, np.zeros((1, 5)))[0], abs=1e-6)
    np.testing.assert_allclose(
        (np.asarray(values) * x).sum(axis=1) + float(base), run(layers, x), rtol=1e-4, atol=1e-4
    )


def test_a_linear_output_has_its_kernel_as_multipliers(rng):
    (layer,) = make(1)
    values, base = multipliers(
        [layer], ops.convert_to_tensor(rng.normal(size=(3, 5)).astype("float32"))
    )
    np.testing.assert_allclose(values, np.repeat(np.asarray(layer.kernel).T, 3, axis=0), rtol=1e-6)
    assert float(base) == pytest.approx(float(layer.bias[0]))


def test_one_hidden_layer_of_relus_gives_integrated_gradients(rng):
    layers = make(6, 1)
    x = rng.normal(size=(20, 5))
    steps = 20_000
    points = (np.arange(steps) + 0.5) / steps
    kernel, bias = (np.asarray(w, "float64") for w in layers[0].weights)
    outer = np.asarray(layers[1].kernel, "float64")[:, 0]
    active = (points[:, None, None] * (x @ kernel) + bias > 0).mean(axis=0)  # (20, 6)
    values, _ = multipliers(layers, ops.convert_to_tensor(x.astype("float32")))
    np.testing.assert_allclose(values, (active * outer) @ kernel.T, atol=5e-3)


def test_an_input_of_zeros_gives_finite_numbers():
    values, base = multipliers(make(6, 1), ops.zeros((2, 5)))
    assert np.isfinite(values).all() and np.isfinite(base)
