"""What each input of a multi-layer perceptron adds to its output."""

from collections.abc import Sequence

import keras
from keras import ops


def multipliers(
    layers: Sequence[keras.layers.Dense], inputs: keras.KerasTensor
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns numbers v, one for each input, with which `g(x) = g(0) + sum_i v_i x_i` exactly.

        dz_l = z_l(x) - z_l(0),  s_l = (act(z_l(x)) - act(z_l(0))) / dz_l
        v = W_1 (s_1 * W_2 (s_2 * ... W_L))

    This is the rescale rule of DeepLIFT (Shrikumar et al., ICML 2017) against
    an input of zeros. For one hidden layer of ReLUs, or none, `v_i x_i` is at
    the same time the integrated gradient (Sundararajan et al., ICML 2017) along
    the straight line from zeros to x: s is the share of that line on which the
    unit is active.

    Args:
        layers: The built `keras.layers.Dense` layers of g, in order; their
            activations may be any that work element by element. The last one
            has one unit.
        inputs: x, (B, d).

    Returns:
        v, (B, d), and g(0), a scalar.
    """
    slopes = []
    here, base = inputs, ops.zeros_like(inputs[:1])  # (B, d), (1, d)
    for layer in layers:
        before, base_before = (
            ops.matmul(x, layer.kernel) + (layer.bias if layer.use_bias else 0.0)
            for x in (here, base)
        )  # (B, units), (1, units)
        here, base = layer.activation(before), layer.activation(base_before)
        step = before - base_before
        # Where the step vanishes, so does what the unit adds, whatever the slope.
        flat = ops.abs(step) < 1e-12
        slopes.append((here - base) / ops.where(flat, ops.ones_like(step), step))  # (B, units)
    values = slopes.pop()  # (B, 1)
    for layer in reversed(layers):
        values = ops.matmul(values, ops.transpose(layer.kernel))  # (B, inputs of the layer)
        if slopes:
            values = values * slopes.pop()
    return values, base[0, 0]
