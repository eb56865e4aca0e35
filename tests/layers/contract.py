"""What every layer of the library promises Keras, whatever it computes."""

import json

import keras
import numpy as np

from tests.numpy_reference import randomise, weights_of


def check_layer_contract(layer, *inputs, **arguments):
    """Asserts that a built layer keeps its configuration and knows its output shapes."""
    outputs = layer(*inputs, **arguments)

    # Through JSON text, as in a `.keras` file, and without custom_objects.
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    assert saved["registered_name"] == f"interhat_tf>{type(layer).__name__}"
    for copy in (
        type(layer).from_config(layer.get_config()),
        keras.saving.deserialize_keras_object(saved),
    ):
        copy(*inputs, **arguments)
        copy.set_weights(layer.get_weights())
        keras.tree.map_structure(np.testing.assert_array_equal, copy(*inputs, **arguments), outputs)
        np.testing.assert_allclose(np.sum(copy.losses), np.sum(layer.losses), rtol=1e-6)
        assert copy.get_config() == layer.get_config()

    shapes = layer.compute_output_shape(*keras.tree.map_structure(np.shape, inputs), **arguments)
    assert shapes == keras.tree.map_structure(np.shape, outputs)


def built(layer, inputs):
    """Returns a layer that was called, with random weights."""
    layer(inputs)
    return randomise(layer)


def check_equation(layer, inputs, loops):
    """Asserts that a layer with random weights equals loops over its weights, in float64."""
    built(layer, inputs)
    double = keras.tree.map_structure(
        lambda x: x if x.dtype.kind == "i" else x.astype("float64"), inputs
    )
    expected = loops(double, weights_of(layer))
    assert layer(inputs).shape == expected.shape
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-4, atol=1e-4)
    assert np.std(expected) > 0.01, "constant outputs prove nothing"


def check_penalty(layer, inputs, strength, penalised=lambda path: True):
    """Asserts that an L2 regulariser penalises its weights, and that it is kept."""
    built(layer, inputs)
    layer(inputs)
    expected = strength * sum(
        (w**2).sum() for path, w in weights_of(layer).items() if penalised(path)
    )
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)
    check_layer_contract(layer, inputs)
