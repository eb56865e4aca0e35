"""What differs between Keras' backends, for layers that are written in `keras.ops` alone."""

import contextlib
import contextvars

import keras

WIDE = 8
"""Width of a head from which on `project_and_attend` is faster than `attend`."""
_own_operations = contextvars.ContextVar("own_operations", default=False)


def take_rows(table, ids):
    """Returns the rows of a layer's weight, in its own dtype, without reading the whole of it.

    On TensorFlow, `keras.ops.take` reads the table first. If an optimizer then
    writes some rows in place, TensorFlow copies the table in every step.

    Args:
        table: A `keras.Variable` that is not cast by itself, (rows, d).
        ids: Row numbers, of any shape, all of them within the table.

    Returns:
        The rows, the shape of `ids` and d.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(table.value, ids)
    return keras.ops.take(table, ids, axis=0)


@contextlib.contextmanager
def own_operations():
    """Lets layers use `interhat_tf.kernels` for more than training: nothing is to be exported.

    Who loads an exported graph does not have them.
    """
    token = _own_operations.set(True)
    try:
        yield
    finally:
        _own_operations.reset(token)


def attend(query, key, value, num_heads, scale, training):
    """Returns the fields that heads attend to, computed in one operation, or `None`.

    On TensorFlow there is an operation for it, if it was built: see
    `interhat_tf.kernels`, for arguments and result as well. It computes
    in float32, knows no dropout, and has no second derivative.
    """
    kernels = _kernels_for(query, training)
    return kernels and kernels.attention(query, key, value, num_heads, scale)


def project_and_attend(inputs, projections, output_kernel, num_heads, scale, training):
    """Returns the same of fields that are not yet projected, or `None`.

    It is for wide heads.

    Args:
        inputs: Fields X, (B, m, d).
        projections: The `keras.layers.Dense` of queries, keys and values, alike
            in all but their weights.
        output_kernel: What the result is multiplied by, (h * d_K, d), or `None`.
        num_heads: Number of heads h.
        scale: Factor of the scores, positive.
        training: Whether the model is being trained.
    """
    first, tensor = projections[0], keras.ops.convert_to_tensor
    kernels = _kernels_for(inputs, training)
    known = first.activation in (keras.activations.linear, keras.activations.relu)
    if not (kernels and known and first.units // num_heads >= WIDE):
        return None
    return kernels.self_attention(
        inputs,
        [tensor(projection.kernel) for projection in projections],
        [tensor(projection.bias) for projection in projections] if first.use_bias else None,
        None if output_kernel is None else tensor(output_kernel),
        num_heads,
        scale,
        relu=first.activation is keras.activations.relu,
    )


def _kernels_for(inputs, training):
    """Returns the module of our own operations, or `None` if they are not to compute this."""
    if keras.backend.backend() != "tensorflow" or inputs.dtype != "float32":
        return None
    if not (training or _own_operations.get()):
        return None
    from interhat_tf import kernels

    return kernels if kernels.are_usable() else None
