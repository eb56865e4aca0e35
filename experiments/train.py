"""The command `interhat train`, from a checkout: `python -m experiments.train --help`."""

import sys

import interhat

if __name__ == "__main__":
    interhat.main(["train", *sys.argv[1:]])
