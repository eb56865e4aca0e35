"""Why runs of `released` that differ by their seed alone differ so much: one suspect at a time.

    python -m experiments.robustness.seeds --dataset=criteo --generate=1000000 --epochs=1

Trains `released` with one head as it is and with one change at a time, each with
all of `--seeds`, and looks at the trained heads on validation: how many hidden
units are hardly ever active, and on what share of the records none is. There a
head without biases says 0.5, whatever the record. Writes `seeds/NAME/summary.json`. The
test split is not read. About 45 seconds a run on one core.
"""

import pathlib
from typing import Any

import keras
import numpy as np

from experiments.common import studies
from experiments.common.changes import try_changes
from experiments.common.running import run_program
from experiments.common.studies import Run
from interhat_tf.models import InterHAt
from interhat_tf.schema import Batch

# Runs with one head take a third of the time; Figure 3's spread as much with one as with twelve.
FORM = {"model": "interhat", "preset": "released", "num_heads": 1}
CHANGES: dict[str, dict[str, Any]] = {
    "released": {},
    "biases in the head": {"mlp_bias": True},
    "64 units in the head": {"mlp_units": [64]},
    "no penalty of the embeddings": {"embedding_l2": 0.0},
    "embeddings start within 0.05": {"embeddings_initializer": "random_uniform"},
    "beta_2 0.999": {"beta_2": 0.999},
    "a third of the learning rate": {"learning_rate": 3e-4},
    "three times the learning rate": {"learning_rate": 3e-3},
    "batches of 512": {"batch_size": 512},
}
RARELY = 1e-3
"""A unit that is active on a smaller share of the records is called dead."""


def main(_):
    try_changes("seeds", FORM, CHANGES, head_of)


def head_of(run: Run) -> dict[str, Any]:
    """Returns a run's hidden units, how many are dead, and how often none is active."""
    model = keras.saving.load_model(pathlib.Path(run["output_dir"]) / "model.keras", compile=False)
    batches = studies.open_data().evaluation_batches("validation")
    active = np.concatenate([active_units(model, inputs) for inputs, _ in batches])  # (rows, units)
    return {
        "units": active.shape[1],
        "dead_units": int((active.mean(axis=0) < RARELY).sum()),
        "records_without_a_unit": float((~active.any(axis=1)).mean()),
    }


def active_units(model: InterHAt, inputs: Batch) -> np.ndarray:
    """Returns which units of the head's hidden layer are above 0, (B, units)."""
    layer = next(layer for layer in model.mlp if _is_rectified(layer))
    activation, seen = layer.activation, []

    def watch(z):
        seen.append(np.asarray(z) > 0)  # (B, units)
        return activation(z)

    layer.activation = watch
    try:
        model(inputs)
    finally:
        layer.activation = activation
    return np.concatenate(seen)


def _is_rectified(layer: keras.layers.Layer) -> bool:
    return getattr(layer, "activation", None) is keras.activations.relu


if __name__ == "__main__":
    run_program(main, required=["dataset"], seeds=[1, 2, 3])
