"""The command `interhat explain`, from a checkout: `python -m experiments.explain --help`."""

import sys

from interhat_tf.commands import run

if __name__ == "__main__":
    run("explain", sys.argv[1:])
