"""Programs that reproduce the paper's tables and figures."""

import os

# TensorFlow's start-up notes would bury a program's own lines; this must come before its import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
