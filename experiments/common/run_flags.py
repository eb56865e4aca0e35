"""The flags of the programs that start training runs."""

from absl import flags

RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "folder of the runs")
EPOCHS = flags.DEFINE_integer("epochs", None, "epochs after which a run stops in any case")
