"""What Keras saves of a layer or a model, read from the signature of its constructor."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Self

import keras
import numpy as np

Initializer = str | Mapping[str, Any] | keras.Initializer
"""An initializer, its name, or what Keras serialised it as."""
Regularizer = str | Mapping[str, Any] | keras.Regularizer | None
"""A regularizer, its name, what Keras serialised it as, or none."""
Activation = str | Mapping[str, Any] | Callable | None
"""An activation, its name, what Keras serialised it as, or none."""

_KINDS = {
    "_initializer": keras.initializers,
    "_regularizer": keras.regularizers,
}


class ConfigFromSignature(keras.layers.Layer):
    """A layer or a model whose `get_config` holds the arguments that it was made with.

    A class that derives from it writes each argument once, in the signature of
    its `__init__`; defaults count as given. In the configuration sequences are
    tuples, numbers are Python's, and what Keras can serialise is serialised: an
    initializer or a regularizer, known by the end of the argument's name, and
    any function or object that Keras has a name for. An argument whose value
    follows from others may be replaced in a `get_config` of the class.

    Example:

    >>> @keras.saving.register_keras_serializable("example")
    ... class Scale(ConfigFromSignature):
    ...     def __init__(self, factor, *, offsets=(0, 1), kernel_initializer="zeros", **kwargs):
    ...         super().__init__(**kwargs)
    >>> config = Scale(3, name="scale").get_config()
    >>> config["factor"], config["offsets"], config["kernel_initializer"]["class_name"]
    (3, (0, 1), 'Zeros')
    >>> Scale.from_config(config).get_config() == config
    True
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Notes the arguments, before any of them is used."""
        instance = super().__new__(cls, *args, **kwargs)
        # Keras' own `__setattr__` would track what is in them, as if it were the layer's state.
        object.__setattr__(instance, "_arguments", _bind(cls.__init__, args, kwargs))
        return instance

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, Keras' own among them."""
        arguments = {name: _serialise(name, value) for name, value in self._arguments.items()}
        return {**arguments, **super().get_config()}


def _bind(function: Callable, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Returns all arguments of a call of a constructor by name, defaults included."""
    signature = inspect.signature(function)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:  # The constructor raises it again, with the name of its class.
        return {}
    bound.apply_defaults()
    arguments = dict(bound.arguments)
    del arguments[next(iter(signature.parameters))]  # self
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            arguments |= arguments.pop(parameter.name)
    return {name: _plain(value) for name, value in arguments.items()}


def _plain(value: Any) -> Any:
    """Returns a copy that nobody changes later: lists as tuples, NumPy's numbers as Python's."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _serialise(name: str, value: Any) -> Any:
    for ending, kind in _KINDS.items():
        if name.endswith(ending):
            return kind.serialize(kind.get(value))
    if callable(value):
        return keras.activations.serialize(value)
    return value
