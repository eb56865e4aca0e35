"""The command `interhat prepare`, from a checkout: `python -m experiments.prepare --help`."""

import sys

from interhat_tf.commands import run

if __name__ == "__main__":
    run("prepare", sys.argv[1:])
