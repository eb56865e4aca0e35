"""From a prepared set to batches: the sets by name, your own click log, the batches."""

from interhat_tf.input_pipeline.catalog import dataset_names, prepare, prepared_dataset
from interhat_tf.input_pipeline.click_log import prepare_click_log
from interhat_tf.input_pipeline.dataset import PreparedDataset

__all__ = [
    "PreparedDataset",
    "dataset_names",
    "prepare",
    "prepare_click_log",
    "prepared_dataset",
]
