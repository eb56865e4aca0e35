"""The flag that all programs on speed share."""

from absl import flags

ROUNDS = flags.DEFINE_integer("rounds", 5, "rounds that count")
