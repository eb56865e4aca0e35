"""Exports a model as a SavedModel that takes raw values, one named tensor a field."""

import json
import keyword
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.prepared_records import PreparedRecords
from interhat_tf.schema import OUT_OF_VOCABULARY
from interhat_tf.serving.encoded_inputs import ID_LISTS, IDS, SCALED
from interhat_tf.serving.outputs import Inputs, description, explained, inputs_of, predicted
from interhat_tf.serving.raw_inputs import LISTS, MOMENTS, NUMBERS, TEXTS, RawInputs

DTYPES = {TEXTS: tf.string, NUMBERS: tf.float64, MOMENTS: tf.float64}
DTYPES |= {IDS: tf.int32, SCALED: tf.float32, LISTS: tf.string, ID_LISTS: tf.int32}


def export_saved_model(
    model: Any, path: str | os.PathLike, data: PreparedRecords | None = None
) -> None:
    """Writes a SavedModel that maps a log's raw values to a prediction and its reasons.

    The signature `serving_default` takes one tensor of shape (B,) for each column of the
    log, under the column's name (see `input_names` for names that TensorFlow does not
    take): text as it is in the log, `""` where it is missing; numbers in the log's own
    units, float64, NaN where one is missing; dates and times as seconds since 1970 of the
    clock that the log has, float64; several values as (B, n) texts, each by itself, `""` where
    there is none. They become what `data.encode` makes of them: a value
    that is not in the vocabulary is unknown, a number beyond the training rows' is clipped,
    and an infinite one is an error that names the column.

    Without `data` it takes a tensor for each field of a record: int32 ids, of which those
    out of the field's range are unknown, float32 numbers as the model was trained on
    them, and of several values (B, n) ids, -1 where there is none.

    It returns `probability`, (B,), `order_weights`, (B, k), and `field_weights`,
    (B, k, m), as `model.explain` defines them, of several values `value_weights`, (B, L),
    whose columns' fields are the description's `value_fields`, and, of a model that `fit_effects`
    gave them, `effects`, (B, m), and `pair_effects`, (B, pairs); and `unknown_share`, (B,), of
    a record's categorical values. A model without attention has no weights. The signature
    `predict` takes the same and returns `probability` alone, at a lower cost. The
    probability is calibrated if the model is; the file `assets.extra/description.json`
    says how, what each input is, in which order reasons have the fields, and the number
    of the folder's form, `format`.

    Args:
        model: A model with `schema`, and with `explain` or effects.
        path: The folder to write; it must not exist.
        data: The prepared set that the model was trained on, whose vocabularies and scales
            the SavedModel holds. Defaults to `None`: ids and scaled numbers.

    Raises:
        FileExistsError: If `path` exists.
        ValueError: If the model was trained on another set, or two columns would
            get the same input name, or the model has neither attention nor effects.
    """
    path = pathlib.Path(path).expanduser()
    if path.exists():
        raise FileExistsError(f"{path} exists; choose another folder for the exported model")
    server = _Server(model, inputs_of(model, data))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        tf.saved_model.save(
            server.resources(),
            unfinished,
            signatures={
                "serving_default": server.signature(server.explain),
                "predict": server.signature(server.predict),
            },
        )
        _describe(server, pathlib.Path(unfinished, "assets.extra"))
        os.chmod(unfinished, 0o755)
        os.replace(unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def input_names(columns: Iterable[str]) -> dict[str, str]:
    """Returns the name of each column's input in the exported signature.

    It is the column's name with every character but ASCII letters, digits and
    underscores replaced by an underscore. If that does not begin with a letter,
    or means something to Python, `field_` is put before it.

    Args:
        columns: The names of a log's columns.

    Returns:
        Dictionary from the column's name to the input's.

    Raises:
        ValueError: If two columns would get the same name but for capitals,
            which TensorFlow does not tell apart here.

    Example:

    >>> input_names(["M.ID", "2nd price"])
    {'M.ID': 'M_ID', '2nd price': 'field_2nd_price'}
    """
    names, owners = {}, {}
    for column in columns:
        name = re.sub(r"[^0-9A-Za-z_]", "_", column)
        if not name[:1].isalpha() or keyword.iskeyword(name) or name == "self":
            name = f"field_{name}"
        owner = owners.setdefault(name.lower(), column)
        if owner != column:
            raise SettingError(
                f"fields {owner!r} and {column!r} would both be the input {name!r}; rename one"
            )
        names[column] = name
    return names


def _describe(server: "_Server", folder: pathlib.Path) -> None:
    """Writes what the model says of itself to TensorFlow's place for files of users."""
    folder.mkdir()
    said = {"names": server.names, **description(server.model, server.inputs)}
    text = json.dumps(said, indent=2, ensure_ascii=False)
    (folder / "description.json").write_text(f"{text}\n")


class _Server:
    """The model behind what makes its inputs of raw values."""

    def __init__(self, model: Any, inputs: Inputs) -> None:
        self.names = input_names(inputs.kinds)
        self.inputs = inputs
        self.model = model
        self.tables = {self.names[column]: _table(ids) for column, ids in inputs.ids.items()}

    def resources(self) -> tf.Module:
        """Returns what the signatures read.

        They are TensorFlow's own variables: of Keras' the file would restore copies that nothing
        reads in servers that run a session, as TensorFlow Serving does.
        """
        held = tf.Module()
        head = getattr(self.model, "effect_head", None)  # which the model does not track
        held.weights = [v.value for part in (self.model, head) if part for v in part.variables]
        held.tables = self.tables
        return held

    def signature(self, function: Callable[..., dict[str, tf.Tensor]]) -> Any:
        """Returns `explain` or `predict`, traced for the inputs."""
        specs = {
            self.names[column]: tf.TensorSpec(
                [None, None] if kind in (LISTS, ID_LISTS) else [None],
                DTYPES[kind],
                name=self.names[column],
            )
            for column, kind in self.inputs.kinds.items()
        }
        return tf.function(function, autograph=False).get_concrete_function(**specs)

    def explain(self, **values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the probability and its reasons."""
        return explained(self.model, self._encode(values))

    def predict(self, **values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the probability."""
        return predicted(self.model, self._encode(values))

    def _encode(self, by_name: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        values = {column: by_name[name] for column, name in self.names.items()}
        for column, wrong in self.inputs.refused(values).items():
            advice = f"{column}: a number must be finite, or NaN where it may be missing"
            tf.debugging.Assert(tf.logical_not(tf.reduce_any(wrong)), [advice])
        if isinstance(self.inputs, RawInputs):
            for column in self.inputs.ids:
                texts = self.inputs.names(column, values[column])
                values[column] = self.tables[self.names[column]].lookup(texts)
        return self.inputs.encode(values)


def _table(ids: Mapping[str, int]) -> tf.lookup.StaticHashTable:
    texts = tf.constant(list(ids), tf.string)
    pairs = tf.lookup.KeyValueTensorInitializer(texts, tf.constant(list(ids.values()), tf.int32))
    return tf.lookup.StaticHashTable(pairs, default_value=OUT_OF_VOCABULARY)
