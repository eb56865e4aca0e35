"""What entries call with damaged files, wrong arguments or wrong records."""

import pathlib
from typing import Any

import keras
import numpy as np

import interhat
from interhat_tf import (
    Cross,
    Field,
    InterHAt,
    Schema,
    TrainingSettings,
    explain_records,
    prepare_click_log,
    prepared_dataset,
    score,
    train,
)
from interhat_tf.models import LR, MODELS
from interhat_tf.training import evaluate
from interhat_tf.training.run_folder import load_saved
from tests.corpus.start import OPTIONS, SETTINGS, make_model


class Calls:
    """The calls, a method each.

    Args:
        folder: A copy of what the entry's file stands in.
        data: The prepared set, as it was before.
        model: The trained model.
        of: The damaged file, which calls take where they are given no other.
    """

    def __init__(self, folder: pathlib.Path, data: Any, model: Any, of: str | None):
        self.folder, self.data, self.model, self.of = folder, data, model, of

    def prepare(self, log=None, **options):
        """Prepares a log."""
        options = {"name": "log", "data_dir": self.folder / "sets", **OPTIONS, **options}
        prepare_click_log(self.folder / (log or self.of), **options)

    def prepare_named(self, name, **options):
        """Prepares the log under another name, or with other options that are no file's fault."""
        log = self.folder / "log/clicks.csv"
        prepare_click_log(log, name=name, data_dir=self.folder / "sets", **{**OPTIONS, **options})

    def prepare_again(self):
        """Prepares a log whose set is there."""
        options = {"name": "clicks", "data_dir": self.folder / "prepared", **OPTIONS}
        prepare_click_log(self.folder / self.of, **options)

    def public(self, name, raw_dir):
        """Prepares a public data set."""
        prepared_dataset(name, self.folder / "sets", self.folder / raw_dir)

    def open(self, name="clicks", **options):
        """Opens a prepared set, and reads all of it."""
        data = prepared_dataset(name, self.folder / "prepared", **options)
        for split in ("train", "validation", "test"):
            data.check(split)
        assert data.digests
        next(data.training_batches(8, seed=0).as_numpy_iterator())
        inputs = next(data.evaluation_batches("test", 8).as_numpy_iterator())[0]
        columns = dict(zip(data.schema.field_names, data.decode(inputs).T, strict=True))
        data.encode({name: list(values) for name, values in columns.items()})

    def batches(self, **options):
        """Asks the set for batches."""
        options = {"batch_size": 8, "seed": 0, **options}
        next(self.data.training_batches(**options).as_numpy_iterator())

    def resume(self, run="run", **settings):
        """Goes on with a run, or gives a finished one's report."""
        given = TrainingSettings(**{**SETTINGS, **settings})
        model = make_model(self.data.schema)
        train(model, self.data, self.folder / run, given, resume=True, test=False)

    def start_from(self, **settings):
        """Starts another run from the run."""
        given = TrainingSettings(**{**SETTINGS, **settings}) if settings else None
        model, folder = make_model(self.data.schema), self.folder / "next"
        train(model, self.data, folder, given, start_from=self.folder / "run", test=False)

    def load(self):
        """Loads a model."""
        load_saved(self.folder / self.of)

    def command(self, *arguments):
        """Runs a command of `interhat` in this process; `{folder}` is the folder."""
        interhat.main([argument.format(folder=self.folder) for argument in arguments])

    def call_model(self, **inputs):
        """Calls the model."""
        self.model(_arrays(inputs))

    def explain(self, values=None, background=None, interactions=0, **inputs):
        """Explains records."""
        background = background and _arrays(background)
        options = {"values": values, "background": background, "interactions": interactions}
        explain_records(self.model, _arrays(inputs), **options)

    def fit(self, labels, **inputs):
        """Keras' `fit`."""
        self._compiled().fit(_arrays(inputs), np.array(labels), verbose=0)

    def predict(self, **inputs):
        """Keras' `predict`."""
        self._compiled().predict(_arrays(inputs), verbose=0)

    def _compiled(self):
        model = LR(self.data.schema)  # its step is compiled in a moment
        model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
        return model

    def encode(self, **records):
        """Encodes raw records."""
        self.data.encode(records)

    def id_of(self, field, value):
        """Asks for the id of a value."""
        self.data.id_of(field, value)

    def score(self, log=None, output="scored.csv", **options):
        """Scores a log."""
        log, output = self.folder / (log or self.of), self.folder / output
        score(self.model, self.data, log, output, **{"background": 2, **options})

    def evaluate(self, split):
        """Evaluates the model on a split."""
        evaluate(self.model, self.data, split)

    def settings(self, **arguments):
        """Makes training settings."""
        TrainingSettings(**arguments)

    def train(self, **settings):
        """Trains with settings that do not go with the model or the data."""
        arguments = settings.pop("model", {})
        given = TrainingSettings(**{**SETTINGS, **settings})
        model = make_model(self.data.schema, **arguments)
        train(model, self.data, self.folder / "new", given, test=False)

    def make(self, model="interhat", **arguments):
        """Makes a model."""
        MODELS[model](self.data.schema, **arguments)

    def preset(self, name, **arguments):
        """Makes a model of a preset."""
        InterHAt.from_preset(name, self.data.schema, **arguments)

    def schema(self, fields):
        """Makes a schema."""
        Schema(Field(**field) for field in fields)

    def crosses(self, crosses):
        """Opens the set with crosses."""
        self.data.with_crosses([Cross(**cross) for cross in crosses])


def _arrays(inputs):
    """Makes arrays of lists: `categorical` may be `[dtype, rows]`."""
    dtypes = {"categorical": "int32", "numerical": "float32"}
    arrays = {}
    for kind, rows in inputs.items():
        dtype, rows = rows if rows and isinstance(rows[0], str) else (dtypes[kind], rows)
        arrays[kind] = np.array(rows, dtype)
    return arrays
