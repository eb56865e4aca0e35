"""Functions of a model that are compiled once, however often they are asked for."""

import weakref
from collections.abc import Callable, Hashable
from typing import Any

import keras

from interhat_tf.ops import cpu_kernels

# Kept beside the models, not in them: TensorFlow would put a function that is a
# model's attribute into every exported SavedModel.
_functions: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def compiled(
    model: keras.Model, key: Hashable, function: Callable[[keras.Model, Any], Any]
) -> Callable[[Any], Any]:
    """Returns a function of values for a model, compiled on the TensorFlow backend.

    Args:
        model: The model.
        key: What names the function, and all that it depends on beside model and values.
        function: Given the model and the values, such as a batch of inputs. What is
            compiled is the first of a key.
    """
    if keras.backend.backend() != "tensorflow":
        return lambda values: function(model, values)
    functions = _functions.setdefault(model, {})
    if key not in functions:
        import tensorflow as tf

        # A strong reference would keep the model alive as long as this module.
        reference = weakref.ref(model)

        # Batch sizes differ; with reduced retracing the second one compiles for all.
        @tf.function(autograph=False, reduce_retracing=True)
        def call(values):
            with cpu_kernels():
                return function(reference(), values)

        functions[key] = call
    return functions[key]
