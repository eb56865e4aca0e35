"""Goes on from an earlier run: from its last weights, its optimizer's moments, its averages."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.growth import Growth
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import Schema
from interhat_tf.training.alignment import Alignment
from interhat_tf.training.averaged_weights import AveragedWeights
from interhat_tf.training.growth import TableRows, grow_model, grow_schema, rows_of_tables
from interhat_tf.training.run_folder import architecture, differences, load_saved
from interhat_tf.training.settings import TrainingSettings
from interhat_tf.utils.files import atomic_write, naming_damage, read_json
from interhat_tf.utils.formats import check_format

FILE = "best_state.npz"
ADVICE = "start from another run"
ALIGNING = ("effect_weight", "effect_donors", "order_weight")
SAME = ("optimizer", "ema_momentum", *ALIGNING)
"""Settings that decide what a state holds: which one, or whether there is any."""


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a training changes.

    Args:
        model: The model.
        optimizer: The optimizer, built.
        averaged: The average of the weights, if there is one.
        alignments: What aligns the model's attention.
    """

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    averaged: AveragedWeights | None
    alignments: Sequence[Alignment]

    def variables(self) -> "Iterator[_Entry]":
        """Yields all variables, in an order that is the same in every run alike."""
        for weight in self.model.variables:
            yield _Entry(weight, weight.path)
        weights = self.model.trainable_variables
        pairs = zip(weights, self.optimizer._momentums, self.optimizer._velocities, strict=True)
        paths = {id(moment): weight.path for weight, *both in pairs for moment in both}
        for variable in self.optimizer.variables:
            yield _Entry(variable, paths.get(id(variable)), is_moment=True)
        if self.averaged:
            yield _Entry(self.averaged.log_decay)
            for path, average in self.averaged.averages.items():
                yield _Entry(average, path)
            for path, table in self.averaged.tables.items():
                yield from (_Entry(variable, path) for variable in table.variables)
        for alignment in self.alignments:
            for variable in alignment.variables:
                yield _Entry(variable)

    def save(self, folder: pathlib.Path, data: PreparedDataset, penalty_scale: float) -> None:
        """Writes the present state into a run's folder, for a run that starts from it.

        Args:
            folder: The folder.
            data: The data set that the model is trained on.
            penalty_scale: What its penalties are multiplied by.
        """
        with atomic_write(folder / FILE) as file:
            arrays: dict[str, Any] = {
                f"variable_{i}": np.asarray(entry.variable)
                for i, entry in enumerate(self.variables())
            }
            np.savez(file, set=data.name, penalty_scale=penalty_scale, **arrays)


def _of_state(settings: TrainingSettings, name: str) -> Any:
    """Returns a setting as far as a state depends on it: not on what begins after its epoch."""
    later = name in ALIGNING and settings.alignment_epochs
    unused = name == "effect_donors" and not settings.effect_weight
    return 0 if later or unused else getattr(settings, name)


@dataclasses.dataclass(frozen=True)
class _Entry:
    """A variable, the path of the weight that it is of, and whether it is a moment of it."""

    variable: keras.Variable | tf.Variable
    path: str | None = None
    is_moment: bool = False

    def assign(self, array: np.ndarray, rows: dict[str, TableRows]) -> None:
        """Takes in what an earlier run had here."""
        if table := rows.get(self.path or ""):
            array = table.grow_moments(array) if self.is_moment else table.grow_weights(array)
        self.variable.assign(array)


class EarlierRun:
    """A run that another one goes on from.

    Args:
        folder: Its folder.

    Attributes:
        config: Its configuration, as `config.json` has it.
        settings: Its `TrainingSettings`, with the scale of the penalties of its best epoch.
        trained_on: Name and digests of the data set that it is on.

    Raises:
        FileNotFoundError: If there is no run, or none that had an epoch.
        ValueError: If its state is damaged.
    """

    def __init__(self, folder: str | pathlib.Path):
        self.folder = pathlib.Path(folder).expanduser()
        self.path = self.folder / FILE
        for path in (self.folder / "config.json", self.path):
            if not path.exists():
                raise FileNotFoundError(
                    f"{path} is missing: start_from needs the folder of a run of train"
                )
        self.config: dict[str, Any] = read_json(self.folder / "config.json")
        check_format(self.folder / "config.json", self.config.get("format"))
        with naming_damage(self.folder / "config.json", ADVICE):
            self.settings = TrainingSettings(**self.config["training"])
            self._architecture = self.config["architecture"]
            self.schema = Schema.from_dict(self._architecture["schema"])
            self.trained_on = dict(self.config["data"])
            self.trained_on["vocabulary"]  # a damaged file may lack it
        with naming_damage(self.path, ADVICE), np.load(self.path) as file:
            self._arrays = dict(file)
            self.trained_on["name"] = str(self._arrays["set"])
            if "penalty_scale" in self._arrays:  # not in version 0.1
                scale = float(self._arrays["penalty_scale"])
                self.settings = dataclasses.replace(self.settings, penalty_scale=scale)

    def load_model(self, data: PreparedDataset) -> keras.Model:
        """Returns the run's model, grown if its data set is not `data` but what that grew from.

        Raises:
            FileNotFoundError: If the run is not finished.
            ValueError: As `grow_model` does.
        """
        model = load_saved(self.folder / "model.keras")
        return grow_model(model, data) if self._growth(data) else model

    def check(self, model: keras.Model, data: PreparedDataset, settings: TrainingSettings) -> None:
        """Checks that a training can go on from the run.

        Args:
            model: The model that is trained; grown, if the data set is.
            data: The data set.
            settings: How it is trained.

        Raises:
            ValueError: If the run's set is neither the data set nor what that grew
                from, its model is another, or the settings do not go with its state.
        """
        schema = grow_schema(self.schema, data) if self._growth(data) else self.schema
        earlier, now = ({**a, "schema": None} for a in (self._architecture, architecture(model)))
        changed = differences(earlier, now) or schema.difference(model.schema)
        if changed or schema != model.schema:
            raise SettingError(
                f"{self.folder} is a run of another model: {changed or 'its crosses differ'}; "
                f"load its model.keras, and if the set grew, grow_model(model, data)"
            )
        for name in SAME:
            then, today = _of_state(self.settings, name), _of_state(settings, name)
            if (then != today) if name == "optimizer" else (bool(then) != bool(today)):
                raise SettingError(
                    f"{name} was {then} in {self.folder} and is {today}: a run that starts from "
                    f"another one must keep it"
                )

    def restore(self, trained: Trained, data: PreparedDataset) -> None:
        """Gives a training the state that the run had after its best epoch.

        Tables get rows for new ids: weights and their averages those of the unknown
        value, moments zeros. Learning rates stay as they are.

        Args:
            trained: What is trained.
            data: The data set that it is trained on.
        """
        rows = rows_of_tables(trained.model, self.schema, self._growth(data))
        learning_rate = float(trained.optimizer.learning_rate)
        with naming_damage(self.path, ADVICE):
            for i, entry in enumerate(trained.variables()):
                entry.assign(self._arrays[f"variable_{i}"], rows)
        trained.optimizer.learning_rate = learning_rate
        for alignment in trained.alignments:
            alignment.follow_learning_rate(1.0)

    def _growth(self, data: PreparedDataset) -> Growth | None:
        """Returns how a data set grew from the run's, `None` if its ids mean the same.

        Raises:
            ValueError: If the ids stand for other values, and it did not grow from the run's.
        """
        # First, also where there was no new value: combinations may have joined a cross.
        if data.growth and self.trained_on["vocabulary"] == data.growth.vocabulary:
            return data.growth
        if self.trained_on["vocabulary"] == data.digests["vocabulary"]:
            return None
        other = f", or start from a run on {data.growth.origin}" if data.growth else ""
        raise SettingError(
            f"{self.folder} is a run on {self.trained_on['name']}, and {data.name} did not grow "
            f"from it: prepare it with grow={other}"
        )
