"""Tests of the whole project."""

import os

# Half of a compilation's time, in the tests' processes and those that they start.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
