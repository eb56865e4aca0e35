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


def make_normalized(rng):
    """Builds layers as `InterHAt` has them with batch normalisation: before each ReLU."""
    layers = []
    for width in (6, 1):
        norm = keras.layers.BatchNormalization()
        norm.build((None, 5 if not layers else 6))
        norm.set_weights([rng.uniform(0.5, 2.0, size=weight.shape) for weight in norm.weights])
        layers += [norm, keras.layers.Activation("relu"), keras.layers.Dropout(0.5)]
        dense = keras.layers.Dense(width)
        dense.build((None, 5 if width == 6 else 6))
        layers.append(dense)
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
    check_sum(layers, x, np.zeros((1, 5), "float32"))


def check_sum(layers, x, base):
    """Asserts that the shares of x against a base add up to the difference of the outputs."""
    values, output = multipliers(layers, ops.convert_to_tensor(x), ops.convert_to_tensor(base))
    assert float(output) == pytest.approx(run(layers, base)[0], abs=1e-5)
    shares = np.asarray(values) * (x - base)
    np.testing.assert_allclose(
        shares.sum(axis=1) + float(output), run(layers, x), rtol=1e-4, atol=1e-4
    )
    assert np.abs(shares).max() > 0.01, "no share, no proof"


def test_the_shares_are_against_the_base(rng):
    x, base = rng.normal(size=(200, 5)).astype("float32"), rng.normal(size=(1, 5)).astype("float32")
    check_sum(make(7, 6, 1), x, base)


def test_batch_normalisation_is_folded_in_and_dropout_left_out(rng):
    x, base = rng.normal(size=(200, 5)).astype("float32"), rng.normal(size=(1, 5)).astype("float32")
    check_sum(make_normalized(rng), x, base)


def test_a_linear_output_has_its_kernel_as_multipliers(rng):
    (layer,) = make(1)
    x = ops.convert_to_tensor(rng.normal(size=(3, 5)).astype("float32"))
    values, base = multipliers([layer], x, ops.zeros((1, 5)))
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
    values, _ = multipliers(layers, ops.convert_to_tensor(x.astype("float32")), ops.zeros((1, 5)))
    np.testing.assert_allclose(values, (active * outer) @ kernel.T, atol=5e-3)


def test_an_input_of_zeros_gives_finite_numbers():
    values, base = multipliers(make(6, 1), ops.zeros((2, 5)), ops.zeros((1, 5)))
    assert np.isfinite(values).all() and np.isfinite(base)
