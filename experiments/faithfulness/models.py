"""The trained models that are explained, and the records they are compared with."""

import gc
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
from absl import flags

from experiments.common.running import train_runs
from experiments.common.seed_flags import WORKERS
from experiments.common.studies import digest, runs_of
from experiments.faithfulness.field_measures import Backgrounds
from interhat_tf.explanation import effect_fitting
from interhat_tf.explanation.selection import first_records
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import Batch

# Training records that exact effects are against.
EXACT = 128

EXPLAINED = ["released", "tuned"]
PRESETS = flags.DEFINE_multi_enum(
    "explained_presets", EXPLAINED, EXPLAINED, "presets whose models are explained"
)
BACKGROUND = flags.DEFINE_integer("background", 32, "records that other values are taken from")


def explained_runs(
    runs: list[dict[str, Any]],
) -> Iterator[tuple[dict[str, Any], keras.Model, dict[str, Any]]]:
    """Trains runs that are not trained yet; yields each one, its model and its report."""
    for run, report in train_runs(runs, WORKERS.value):
        yield run, keras.saving.load_model(f"{run['output_dir']}/model.keras"), report
        forget_models()


def models_with_effects(
    preset: str, data: PreparedDataset
) -> Iterator[tuple[int, keras.Model, dict[str, Any]]]:
    """Yields seed, model and report of a preset's runs, each model with an effect head."""
    for run, model, report in explained_runs(runs_of("interhat", preset=preset)):
        yield run["seed"], with_effects(model, data, run["output_dir"]), report


def with_effects(model: keras.Model, data: PreparedDataset, folder: str) -> keras.Model:
    """Returns a run's model with an effect head, of pairs as well, which is fitted once.

    Args:
        model: The model.
        data: What it was trained on.
        folder: The run's folder, which keeps the model with the head.
    """
    name = name_of_effects("with_effects", model)
    return changed_once(model, folder, name, {"pairs": True}, data, effect_fitting.fit_effects)


def name_of_effects(name: str, model: keras.Model) -> str:
    """Returns the name of a file of a model with effects, which says how long these are fitted."""
    return f"{name}_of_{effect_fitting.least_steps(model.schema)}_steps"


def changed_once(
    model: keras.Model,
    folder: str,
    name: str,
    how: dict[str, Any],
    data: PreparedDataset,
    change: Callable[..., Any],
) -> keras.Model:
    """Returns a run's model after a change, which is made once.

    Args:
        model: The model.
        folder: The run's folder, in which a file keeps what came of it.
        name: The file's name; a digest of `how` follows.
        how: Arguments of the change.
        data: What the model was trained on.
        change: Called as `change(model, data, **how)`.
    """
    path = pathlib.Path(folder) / f"{name}-{digest(how)}.keras"
    if path.exists():
        return keras.saving.load_model(path)
    change(model, data, **how)
    model.save(path)
    return model


def halves_of(records: Batch) -> list[Batch]:
    """Returns the inputs of every second record, and those of all others."""
    return [{kind: values[part::2] for kind, values in records.items()} for part in range(2)]


def forget_models() -> None:
    """Frees what is left of models that are no longer used."""
    # A hundred models' compiled functions would fill the memory.
    keras.backend.clear_session()
    gc.collect()


def backgrounds_of(data: PreparedDataset) -> Backgrounds:
    """Returns the first training records, as what explanations and exact effects are against."""
    size = BACKGROUND.value
    records = first_records(data, "train", 2 * size + EXACT)
    ends = (0, size), (size, 2 * size), (2 * size, None)
    return Backgrounds(
        *({kind: values[start:end] for kind, values in records.items()} for start, end in ends)
    )
