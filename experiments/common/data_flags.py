"""The flags that name a data set, for the programs that train on any."""

from absl import flags

DATASET = flags.DEFINE_string("dataset", None, "data set, as NAME or NAME/CONFIG")
RAW_DIR = flags.DEFINE_string("raw_dir", None, "folder of the data set's original files")
DATA_DIR = flags.DEFINE_string("data_dir", "prepared", "folder of the prepared data sets")
