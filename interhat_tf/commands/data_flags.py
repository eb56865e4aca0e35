"""The flags that name a prepared data set."""

from typing import Any

from absl import flags

from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.input_pipeline.dataset import PreparedDataset


def define_data_flags(values: flags.FlagValues) -> None:
    """Defines `--dataset`, `--data_dir` and `--raw_dir`."""
    flags.DEFINE_string("dataset", None, "data set, as NAME or NAME/CONFIG", values)
    flags.DEFINE_string("data_dir", "prepared", "folder of the prepared data sets", values)
    flags.DEFINE_string("raw_dir", None, "folder of a public data set's original files", values)


def open_data(values: flags.FlagValues, **config: Any) -> PreparedDataset:
    """Opens the data set that the flags name, and prepares it first if need be."""
    return prepared_dataset(values.dataset, values.data_dir, values.raw_dir, **config)
