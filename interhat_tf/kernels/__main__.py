"""Builds the CPU kernels; see `interhat_tf.kernels`."""

import sys

from interhat_tf.errors import KernelError
from interhat_tf.kernels import build

try:
    print(f"built {build()}")
except KernelError as error:
    sys.exit(f"error: {error}")
