"""Writes the files that this version of the library writes, for the tests of later ones.

    python -m tests.old_files tests/version_0_3

is to be run once a release, on one thread. `old_files_test.py` opens each such folder from
0.2 on.
"""

import contextlib
import json
import pathlib
import shutil
import sys

import keras
import numpy as np

from interhat_tf import InterHAt, TrainingSettings, train
from interhat_tf.serving import export_onnx, export_saved_model
from interhat_tf.training import calibrate
from tests.models.held_effects import with_effects
from tests.serving.raw_log import prepare, raw_records

# Of no preset: what these give changes from version to version.
MODEL = {
    **{"embedding_dim": 4, "value_dim": 8, "mlp_units": (8,), "attention_size": 16, "num_heads": 1},
    **{"order": 2, "self_attention": False, "dropout": 0.1, "embedding_l2": 0.883225806451613},
}
SETTINGS = {"batch_size": 64, "learning_rate": 0.01, "ema_momentum": 0.9, "max_epochs": 3}
CALIBRATED = "platt"


class Stop(Exception):
    """Ends a run."""


class StopsInEpoch(keras.callbacks.Callback):
    """Ends a run when an epoch begins."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise Stop


def train_on(data, folder, seed=0, **options):
    """Trains the model of these files, or goes on with it."""
    keras.utils.set_random_seed(seed)
    model = InterHAt(data.schema, **MODEL)
    settings = TrainingSettings(**SETTINGS, patience=3, checkpoint_minutes=0.0)
    return model, train(model, data, folder, settings, **options)


def write(folder):
    """Writes a log, the set prepared from it, runs, a model, its exports and what it says."""
    folder.mkdir(parents=True)
    with contextlib.chdir(folder):
        data = prepare(pathlib.Path())
        _write_of(data, pathlib.Path())
    metadata = folder / "clicks/1.0.0/metadata.json"
    metadata.write_text(metadata.read_text().replace(f"{folder.resolve()}/", ""))
    for left_over in ("downloads", "stopped/tensorboard", "finished/tensorboard"):
        shutil.rmtree(folder / left_over)
    for lock in folder.rglob("*.lock"):
        lock.unlink()


def _write_of(data, folder):
    try:
        train_on(data, folder / "stopped", callbacks=[StopsInEpoch(2)])
    except Stop:
        model, _ = train_on(data, folder / "finished")
    weights = {f"weight_{i}": weight for i, weight in enumerate(model.get_weights())}
    calibrate(with_effects(model), data, CALIBRATED)
    model.save(folder / "model.keras")
    export_saved_model(model, folder / "saved_model", data)
    export_onnx(model, folder / "model.onnx", data)
    records = raw_records(40)
    (folder / "records.json").write_text(json.dumps(records))
    encoded = data.encode(records, max_unknown=1.0)
    explanation = {name: np.asarray(value) for name, value in model.explain(encoded).items()}
    np.savez_compressed(
        folder / "expected.npz",
        **{f"input_{kind}": values for kind, values in encoded.items()},
        **{f"said_{name}": values for name, values in explanation.items()},
        probability=model.calibration.probability(explanation["logits"]),
        **weights,
    )


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
