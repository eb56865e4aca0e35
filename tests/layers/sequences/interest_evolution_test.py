import keras
import numpy as np
import pytest

from interhat_tf.layers import InterestEvolution
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
from tests.numpy_reference import randomise, weights_of


def make(**arguments):
    layer = InterestEvolution(**arguments)
    layer(VALUES, TARGET, PRESENT)
    return randomise(layer)


def test_equals_numpy_record_by_record():
    layer = make()
    found, attention = layer(VALUES, TARGET, PRESENT)
    for record, length in enumerate(LENGTHS):
        values = VALUES[record, :length].astype("float64")
        v, a = reference.interest_evolution(values, TARGET[record], weights_of(layer))
        np.testing.assert_allclose(found[record], v, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(attention[record, :length], a, rtol=1e-4, atol=1e-5)
        assert not np.any(attention[record, length:])
    assert np.std(found) > 0.1


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_padding_changes_nothing(dtype):
    layer = make(dtype=dtype)
    found, expected = (layer(values, TARGET, PRESENT) for values in (VALUES, OTHERS))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.any(found[0][1]), "an empty history is a vector of zeros"


@pytest.mark.parametrize("training", [False, True])
def test_padding_has_no_gradient(training):
    layer = make()

    def outputs(values):
        pooled, _ = layer(values, TARGET, PRESENT, training=training)
        return keras.ops.append(pooled, keras.ops.stack(layer.losses)) if training else pooled

    check_no_gradient_of_padding(outputs)


def test_the_order_of_values_counts():
    layer = make()
    turned = np.stack(
        [
            np.concatenate([record[:n][::-1], record[n:]])
            for record, n in zip(VALUES, LENGTHS, strict=True)
        ]
    )
    differs = np.abs(layer(turned, TARGET, PRESENT)[0] - layer(VALUES, TARGET, PRESENT)[0]) > 1e-3
    assert np.array_equal(differs.any(axis=1), [True, False, True, False])


def test_follows_the_layer_contract():
    check_layer_contract(make(auxiliary_weight=0.5), VALUES, TARGET, PRESENT)


def test_the_auxiliary_loss_is_of_the_interests():
    layer = make(auxiliary_weight=2.0)
    layer(VALUES, TARGET, PRESENT)
    assert not layer.losses
    layer(VALUES, TARGET, PRESENT, training=True)
    (loss,) = layer.losses
    assert float(loss) > 0
    without = make(auxiliary_weight=0.0)
    without(VALUES, TARGET, PRESENT, training=True)
    assert not without.losses


def test_regulariser_penalises_all_weights():
    layer = make(kernel_regularizer=keras.regularizers.L2(0.1))
    squares = sum(np.sum(np.square(weight)) for weight in layer.weights)
    np.testing.assert_allclose(sum(layer.losses), 0.1 * squares, rtol=1e-5)
