"""The trained models that are explained, and the records they are compared with."""

import gc

import keras
from absl import flags

from experiments.common.run_flags import SEEDS, WORKERS
from experiments.common.running import train_runs
from experiments.common.studies import run_flags
from experiments.paper.sensitivity import PRESET
from interhat_tf.commands.conditions import first_records

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


def released_runs():
    """Returns the flags of `released`, with each of `--seeds`."""
    return [run_flags("interhat", preset=PRESET, seed=seed) for seed in SEEDS.value]


def background_of(data):
    """Returns the inputs of the first training records."""
    return first_records(data, "train", BACKGROUND.value)
