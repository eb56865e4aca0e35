"""Programs that reproduce the paper's tables and figures."""

import os
import sys

import interhat_stand_ins

# TensorFlow's start-up notes would bury a program's own lines; this must come before its import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

if interhat_stand_ins.HELP & set(sys.argv):
    interhat_stand_ins.use()
