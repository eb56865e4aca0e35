"""The command `interhat train`, from a checkout: `python -m experiments.train --help`."""

import sys

from interhat_tf.commands import run

if __name__ == "__main__":
    run("train", sys.argv[1:])
