import keras
import numpy as np
import pytest

from interhat_tf.layers import MLP
from tests.layers import reference
from tests.layers.contract import built, check_equation, check_layer_contract, check_penalty
from tests.numpy_reference import weights_of

FLAT = np.random.default_rng(1).normal(size=(6, 20)).astype("float32")


CASES = pytest.mark.parametrize(
    ("make", "loops"),
    [
        (lambda: MLP((7, 3)), lambda x, w: reference.mlp(x, w, 2)),
        (lambda: MLP(()), lambda x, w: x),
    ],
)


@CASES
def test_equals_loops_over_the_equation(make, loops):
    check_equation(make(), FLAT, loops)


@CASES
def test_follows_the_layer_contract(make, loops):
    check_layer_contract(built(make(), FLAT), FLAT)


def test_regulariser_is_kept_and_penalises_its_weights():
    layer = MLP((7, 3), kernel_regularizer=keras.regularizers.L2(0.1))
    check_penalty(layer, FLAT, 0.1)


def test_normalises_with_batch_statistics_in_training_and_moving_ones_otherwise():
    layer = MLP((7, 3), batch_norm=True)
    layer(FLAT)
    weights = weights_of(layer)
    for path, values in weights.items():
        rng = np.random.default_rng(len(path))
        values[...] = rng.uniform(0.5, 1.5, values.shape)  # Variances are positive.
        if "kernel" in path:
            values[...] -= 1
    layer.set_weights([weights[w.path.removeprefix(f"{layer.name}/")] for w in layer.weights])
    expected = reference.mlp(FLAT.astype("float64"), weights, 2)
    np.testing.assert_allclose(layer(FLAT), expected, rtol=1e-4, atol=1e-5)
    check_layer_contract(layer, FLAT)

    # In training, shifting and scaling all inputs of the normalisation changes nothing.
    first = layer.dense[0]
    before = layer(FLAT, training=True)
    first.kernel.assign(3 * first.kernel)
    first.bias.assign(3 * first.bias + 7)
    np.testing.assert_allclose(layer(FLAT, training=True), before, rtol=1e-3, atol=1e-3)
    assert not np.allclose(layer(FLAT), expected, atol=1e-2)


def test_dropout_acts_in_training_only():
    layer = MLP((50,), dropout=0.5)
    np.testing.assert_array_equal(layer(FLAT), layer(FLAT))
    assert not np.allclose(layer(FLAT, training=True), layer(FLAT, training=True))
    assert type(layer).from_config(layer.get_config()).dropout == 0.5
