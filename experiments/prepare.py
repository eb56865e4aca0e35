"""The command `interhat prepare`, from a checkout: `python -m experiments.prepare --help`."""

import sys

import interhat

if __name__ == "__main__":
    interhat.main(["prepare", *sys.argv[1:]])
