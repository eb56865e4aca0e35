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


class _WholeSignature:
    """A class's `__signature__`: what its constructor takes, and what `**kwargs` hands on.

    `inspect.signature`, and with it documentation and command line flags, so see
    the arguments that a class leaves to the constructor of the class above it.
    """

    def __get__(self, instance: Any, owner: type) -> inspect.Signature:
        if instance is not None:  # A call of a layer has another signature.
            raise AttributeError("__signature__")
        return _signature(owner)


class ConfigFromSignature(keras.layers.Layer):
    """A layer or a model whose `get_config` holds the arguments that it was made with.

    A class that derives from it writes each argument once, in the signature of
    its `__init__`, or leaves it to the class above by `**kwargs`; defaults count
    as given. In the configuration sequences are
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

    __signature__ = _WholeSignature()

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Notes the arguments, before any of them is used."""
        instance = super().__new__(cls, *args, **kwargs)
        # Keras' own `__setattr__` would track what is in them, as if it were the layer's state.
        object.__setattr__(instance, "_arguments", _bind(cls, args, kwargs))
        return instance

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, Keras' own among them."""
        arguments = {name: _serialise(name, value) for name, value in self._arguments.items()}
        return {**arguments, **super().get_config()}


def _signature(cls: type) -> inspect.Signature:
    """Returns the arguments of a class's constructor and of those that it hands `**kwargs` to."""
    found: dict[str, inspect.Parameter] = {}
    for owner in cls.__mro__:
        if owner is ConfigFromSignature:
            break
        if (constructor := vars(owner).get("__init__")) is None:
            continue
        _, *parameters = inspect.signature(constructor).parameters.values()
        handed_on = bool(found)
        for parameter in parameters:
            if handed_on and parameter.kind is not parameter.VAR_KEYWORD:
                parameter = parameter.replace(kind=parameter.KEYWORD_ONLY)
            found.setdefault(parameter.name, parameter)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return inspect.Signature(sorted(found.values(), key=lambda parameter: parameter.kind))


def _bind(cls: type, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Returns all arguments of a constructor by name, defaults included."""
    signature = _signature(cls)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:  # The constructor raises it again, with the name of its class.
        return {}
    bound.apply_defaults()
    arguments = dict(bound.arguments)
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
