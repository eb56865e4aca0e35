"""Mean and variance of a batch's units."""

from keras import ops

from interhat_tf.ops.dispatch import Tensor


def moments_of_present(
    inputs: Tensor, present: Tensor, otherwise: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Returns mean and variance, (n,) each, of those inputs that are present.

    Args:
        inputs: Units, (..., n).
        present: Which of them count, booleans of shape (...).
        otherwise: Mean and variance where none is present.
    """
    rows = ops.reshape(inputs, (-1, inputs.shape[-1]))  # (N, n)
    shares = shares_of_present(present, inputs.dtype)  # (1, N)
    # Products of a vector and a matrix read the rows once, and keep no copy of them.
    mean = ops.matmul(shares, rows)  # (1, n)
    variance = ops.matmul(shares, ops.square(rows - mean))  # (1, n)
    found = ops.any(present)
    mean_otherwise, variance_otherwise = (ops.cast(value, inputs.dtype) for value in otherwise)
    return (
        ops.where(found, mean[0], mean_otherwise),
        ops.where(found, variance[0], variance_otherwise),
    )


def shares_of_present(present: Tensor, dtype: str) -> Tensor:
    """Returns what each input counts in a mean of those that are present, (1, N), 0 where none is.

    Args:
        present: Which are present, booleans of any shape.
        dtype: The shares' dtype.
    """
    present = ops.reshape(ops.cast(present, dtype), (1, -1))  # (1, N)
    return present / ops.maximum(ops.sum(present), 1)
