"""Builds the CPU kernels; see `interhat_tf.kernels`."""

import sys

from interhat_tf.kernels import build

try:
    print(f"built {build()}")
except RuntimeError as error:
    sys.exit(f"error: {error}")
