"""The command `interhat explain`, from a checkout: `python -m experiments.explain --help`."""

import sys

import interhat

if __name__ == "__main__":
    interhat.main(["explain", *sys.argv[1:]])
