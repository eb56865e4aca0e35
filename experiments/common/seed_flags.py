"""The flags of the programs that repeat a run with several seeds."""

from absl import flags

SEEDS = flags.DEFINE_multi_integer("seeds", [1, 2, 3, 4, 5], "seeds of the runs")
WORKERS = flags.DEFINE_integer("workers", 2, "runs that are trained at the same time")
