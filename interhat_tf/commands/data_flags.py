"""The flags that name a prepared data set, and the model of a run on it."""

import pathlib
from typing import Any

import keras
from absl import flags

from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training.run_folder import load_saved


def define_data_flags(values: flags.FlagValues) -> tuple[flags.FlagHolder, ...]:
    """Defines `--dataset`, `--data_dir` and `--raw_dir`, and returns them in this order."""
    dataset = flags.DEFINE_string("dataset", None, "data set, as NAME or NAME/CONFIG", values)
    about = "folder of the prepared data sets"
    data_dir = flags.DEFINE_string("data_dir", "prepared", about, values)
    about = "folder of a public data set's original files"
    return dataset, data_dir, flags.DEFINE_string("raw_dir", None, about, values)


def define_run_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `define_data_flags`, and `--run`."""
    define_data_flags(values)
    flags.DEFINE_string("run", None, "folder of the run, with its model.keras", values)


def open_data(values: flags.FlagValues, **config: Any) -> PreparedDataset:
    """Opens the data set that the flags name, and prepares it first if need be."""
    return prepared_dataset(values.dataset, values.data_dir, values.raw_dir, **config)


def open_run(values: flags.FlagValues) -> tuple[PreparedDataset, keras.Model, pathlib.Path]:
    """Returns the data set and the model that the flags name, and the model's file.

    Raises:
        FileNotFoundError: If there is no such model.
        ValueError: If it reads other fields, or was trained on a set whose ids stand
            for other values.
    """
    data, path = open_data(values), pathlib.Path(values.run) / "model.keras"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: train a model first, by interhat train")
    model = load_saved(path)
    try:
        data.check_model(model)
    except ValueError as error:
        raise SettingError(f"{path}: {error}") from error
    return data, model, path
