"""The flags of the programs that start training runs."""

from absl import flags

RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "folder of the runs")
SEEDS = flags.DEFINE_multi_integer("seeds", [1, 2, 3, 4, 5], "seeds of the final runs")
EPOCHS = flags.DEFINE_integer("epochs", None, "epochs after which a run stops in any case")
WORKERS = flags.DEFINE_integer("workers", 2, "runs that are trained side by side")
