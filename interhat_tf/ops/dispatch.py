"""Whether a CPU kernel computes an operation, or plain operations do."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import keras

Tensor = Any
"""A tensor of Keras' backend, or what it converts to one."""
Shape = tuple[Any, ...]
"""The sizes of a tensor, of which an unknown one is `None`."""

_cpu_kernels = contextvars.ContextVar("cpu_kernels", default=False)


@contextlib.contextmanager
def cpu_kernels() -> Iterator[None]:
    """Lets graphs that are traced inside use CPU kernels: they never leave this process."""
    token = _cpu_kernels.set(True)
    try:
        yield
    finally:
        _cpu_kernels.reset(token)


def kernel_serves(inputs: Tensor, training: bool) -> bool:
    """Returns whether a CPU kernel computes what is being traced or called.

    So it does in float32, on TensorFlow, in training, eagerly and inside `cpu_kernels`; a graph
    that may be exported has none. See also `kernels.are_usable`.

    Args:
        inputs: What is computed with.
        training: Whether the model is being trained.
    """
    if isinstance(inputs, keras.KerasTensor) or inputs.dtype != "float32":
        return False
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    from interhat_tf import kernels

    stays_here = training or _cpu_kernels.get() or tf.executing_eagerly()
    return bool(stays_here and kernels.are_usable())
