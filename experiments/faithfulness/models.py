"""The trained models that are explained, and the records they are compared with."""

import gc
from collections.abc import Iterator
from typing import Any

import keras
from absl import flags

from experiments.common.running import train_runs
from experiments.common.seed_flags import WORKERS
from interhat_tf.commands.conditions import first_records
from interhat_tf.input_pipeline.dataset import PreparedDataset

BACKGROUND = flags.DEFINE_integer("background", 32, "records that other values are taken from")


def explained_runs(
    runs: list[dict[str, Any]],
) -> Iterator[tuple[int, keras.Model, dict[str, Any]]]:
    """Trains runs that are not trained yet; yields each one's seed, model and report."""
    for run, report in train_runs(runs, WORKERS.value):
        yield run["seed"], keras.saving.load_model(f"{run['output_dir']}/model.keras"), report
        # A hundred models' compiled functions would fill the memory.
        keras.backend.clear_session()
        gc.collect()


def background_of(data: PreparedDataset) -> dict[str, Any]:
    """Returns the inputs of the first training records."""
    return first_records(data, "train", BACKGROUND.value)
