"""The scales of numbers, as a part of an exported graph."""

import numpy as np
import tensorflow as tf

from interhat_tf.preprocessing.scaling import MinMax, Scale, SignedLog, signed_log
from interhat_tf.utils.interpolation import interpolate


def scale_tensor(scale: Scale, numbers: tf.Tensor) -> tf.Tensor:
    """Returns scaled numbers, as the scale's `apply` does of arrays.

    Args:
        scale: The fitted scale.
        numbers: (B,) float64: single precision would lose digits of large ones.

    Example:

    >>> scale_tensor(MinMax(2.0, 12.0), tf.constant([2.0, 7.0, 99.0], tf.float64)).numpy().tolist()
    [0.0, 0.5, 1.0]
    """
    if isinstance(scale, MinMax):
        if scale.high <= scale.low:
            return tf.zeros_like(numbers)
        return tf.clip_by_value((numbers - scale.low) / (scale.high - scale.low), 0.0, 1.0)
    if isinstance(scale, SignedLog):
        logs = _signed_log(tf.clip_by_value(numbers, scale.low, scale.high), scale.unit)
        return (logs - scale.mean) / scale.deviation
    knots = signed_log(np.array(scale.knots), scale.unit).tolist()
    return interpolate(_signed_log(numbers, scale.unit), knots, scale.shares)


def _signed_log(numbers: tf.Tensor, unit: float) -> tf.Tensor:
    return tf.sign(numbers) * tf.math.log(1 + tf.abs(numbers) / unit)  # tf2onnx has no log1p
