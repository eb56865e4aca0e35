"""The trained models that are explained, and the records they are compared with."""

import gc

import keras
import numpy as np
from absl import flags

from experiments.programs import train_runs
from experiments.study import WORKERS

BACKGROUND = flags.DEFINE_integer("background", 32, "records that other values are taken from")


def explained_runs(runs):
    """Trains what is not trained yet.

    Args:
        runs: The runs' flags, as `study.run_flags` returns them.

    Yields:
        For each run, as they finish, its seed, its model and its report.
    """
    for run, report in train_runs(runs, WORKERS.value):
        yield run["seed"], keras.saving.load_model(f"{run['output_dir']}/model.keras"), report
        # A hundred models' compiled functions would fill the memory.
        keras.backend.clear_session()
        gc.collect()


def background_of(data):
    """Returns the inputs of the first training records, which lie in a random order."""
    inputs, _ = next(iter(data.evaluation_batches("train", BACKGROUND.value)))
    return {kind: np.asarray(values) for kind, values in inputs.items()}
