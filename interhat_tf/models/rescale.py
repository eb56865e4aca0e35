"""What each input of a multi-layer perceptron adds to its output."""

from collections.abc import Callable, Sequence
from functools import partial

import keras
from keras import ops

from interhat_tf.ops import Tensor


def multipliers(
    layers: Sequence[keras.layers.Layer], inputs: Tensor, base: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns numbers v, one for each input, with `g(x) = g(b) + sum_i v_i (x_i - b_i)` exactly.

        dz_l = z_l(x) - z_l(b),  s_l = (act(z_l(x)) - act(z_l(b))) / dz_l
        v = W_1 (s_1 * W_2 (s_2 * ... W_L))

    This is the rescale rule of DeepLIFT (Shrikumar et al., ICML 2017) against
    a base input b; a batch normalisation scales like a diagonal W. For one hidden
    layer of ReLUs, or none, `v_i (x_i - b_i)` is at the same time the integrated
    gradient (Sundararajan et al., ICML 2017) along the straight line from b to x:
    s is the share of that line on which the unit is active.

    Args:
        layers: The built layers of g, in order: dense layers, batch
            normalisations, and activations that work element by element. Dropout
            counts for nothing. The last layer is dense with one unit.
        inputs: x, (B, d).
        base: b, (1, d).

    Returns:
        v, (B, d), and g(b), a scalar.
    """
    steps: list[Callable[[Tensor], Tensor]] = []  # each takes v behind a layer to v before it
    here, there = inputs, base  # (B, d), (1, d)
    for layer in layers:
        if isinstance(layer, keras.layers.Dense):
            kernel = ops.cast(layer.kernel, inputs.dtype)
            bias = ops.cast(layer.bias, inputs.dtype) if layer.use_bias else 0.0
            here, there = (ops.matmul(x, kernel) + bias for x in (here, there))  # (B, units)
            steps.append(partial(ops.matmul, x2=ops.transpose(kernel)))
        elif isinstance(layer, keras.layers.BatchNormalization):
            mean, variance, gamma, beta = (
                ops.cast(weight, inputs.dtype)
                for weight in (layer.moving_mean, layer.moving_variance, layer.gamma, layer.beta)
            )
            scale = gamma * ops.rsqrt(variance + layer.epsilon)  # (units,)
            here, there = ((x - mean) * scale + beta for x in (here, there))  # (B, units)
            steps.append(partial(ops.multiply, scale))
        activation = getattr(layer, "activation", None)
        if activation is not None:
            before, here, there = here - there, activation(here), activation(there)
            # Where the step before vanishes, so does what the unit adds, whatever the slope.
            flat = ops.abs(before) < 1e-12
            slopes = (here - there) / ops.where(flat, ops.ones_like(before), before)  # (B, units)
            steps.append(partial(ops.multiply, slopes))
    values = ops.ones_like(here)  # (B, 1)
    for step in reversed(steps):
        values = step(values)  # (B, units), at last (B, d)
    return values, there[0, 0]
