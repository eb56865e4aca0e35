"""The recurrence of DIEN."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from interhat_tf.ops.dispatch import Tensor, kernel_serves


def augru(
    inputs: Tensor,
    attention: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor,
    training: bool = False,
) -> Tensor:
    """Returns the states of a GRU with an attentional update gate; `AUGRU` has its equations.

    Args:
        inputs: The sequences i_t, oldest first, (B, L, d), of which L is known.
        attention: The attention a_t, (B, L).
        kernel: [W_u, W_r, W_h], (d, 3 n).
        recurrent_kernel: [U_u, U_r, U_h], (n, 3 n).
        bias: b, (3 n,).
        training: Whether the model is being trained. Defaults to `False`.

    Returns:
        h_1 to h_L, (B, L, n).
    """
    if kernel_serves(inputs, training):
        from interhat_tf import kernels

        return kernels.augru(inputs, attention, kernel, recurrent_kernel, bias)

    def step(state: Tensor, elements: list[Tensor]) -> Tensor:
        value, weight = elements  # (B, d), (B, 1)
        of_value = ops.split(ops.matmul(value, kernel) + bias, 3, axis=-1)  # (B, n) each
        of_state = ops.split(ops.matmul(state, recurrent_kernel), 3, axis=-1)  # (B, n) each
        update = weight * ops.sigmoid(of_value[0] + of_state[0])  # (B, n)
        reset = ops.sigmoid(of_value[1] + of_state[1])  # (B, n)
        candidate = ops.tanh(of_value[2] + reset * of_state[2])  # (B, n)
        return (1 - update) * state + update * candidate  # (B, n)

    in_time = ops.transpose(inputs, (1, 0, 2))  # (L, B, d)
    weights = ops.expand_dims(ops.transpose(attention), -1)  # (L, B, 1)
    start = ops.zeros((ops.shape(inputs)[0], recurrent_kernel.shape[0]), inputs.dtype)
    states = scan(step, start, [in_time, weights])  # (L, B, n)
    return ops.transpose(states, (1, 0, 2))  # (B, L, n)


def scan(
    step: Callable[[Tensor, list[Tensor]], Tensor], start: Tensor, sequences: list[Tensor]
) -> Tensor:
    """Returns the states of a recurrence, state_t = step(state_{t-1}, [x_t, ...]).

    On TensorFlow, XLA has no gradient of `keras.ops.scan`, and ONNX nothing like it.

    Args:
        step: What makes a state of the one before and of the sequences' elements.
        start: The state before the first one, (B, n).
        sequences: What is read in time, (L, B, ...) each, of which L is known.

    Returns:
        state_1, ..., state_L, (L, B, n).

    Example:

    >>> numbers = ops.reshape(ops.arange(1.0, 5.0), (4, 1, 1))
    >>> sums = scan(lambda state, elements: state + elements[0], ops.zeros((1, 1)), [numbers])
    >>> sums[:, 0, 0].numpy().tolist()
    [1.0, 3.0, 6.0, 10.0]
    """
    if keras.backend.backend() != "tensorflow":

        def step_twice(state: Tensor, elements: list[Tensor]) -> tuple[Tensor, Tensor]:
            state = step(state, elements)
            return state, state

        return ops.scan(step_twice, start, sequences)[1]
    import tensorflow as tf

    length = sequences[0].shape[0]

    def array(shape: Any) -> Any:
        return tf.TensorArray(start.dtype, length, element_shape=shape)

    arrays = [array(sequence.shape[1:]).unstack(sequence) for sequence in sequences]

    def body(i: Tensor, state: Tensor, states: Any) -> tuple:
        state = step(state, [of_one.read(i) for of_one in arrays])
        return i + 1, state, states.write(i, state)

    loop = (0, start, array(start.shape))
    *_, states = tf.while_loop(lambda i, *_: i < length, body, loop, maximum_iterations=length)
    return states.stack()
