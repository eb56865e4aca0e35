"""Builds the CPU kernels with the C++ compiler of this machine.

    interhat kernels

Without them the same models run on TensorFlow's own operations, which are
slower on a CPU. A GPU does not use them.
"""

import sys

from absl import flags

from interhat_tf import kernels
from interhat_tf.errors import KernelError

REQUIRED = ()


def define_flags() -> flags.FlagValues:
    """Returns the command's flags: none."""
    return flags.FlagValues()


def main(values: flags.FlagValues) -> None:
    """Builds the kernels and prints where they are."""
    try:
        print(f"built {kernels.build()}")
    except KernelError as error:  # of several lines, if the compiler has failed
        sys.exit(f"error: {error}")
