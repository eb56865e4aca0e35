"""What every layer of the library promises Keras, whatever it computes."""

import json

import keras
import numpy as np


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
