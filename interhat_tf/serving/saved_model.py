"""Exports a model as a SavedModel that takes raw values, one named tensor a field."""

import keyword
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from interhat_tf.schema import CATEGORICAL, NUMERICAL, OUT_OF_VOCABULARY, Field, Schema
from interhat_tf.serving.outputs import calibration_of, explained, predicted
from interhat_tf.utils.digests import content_digest


def export_saved_model(
    model: Any,
    path: str | os.PathLike,
    vocabularies: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Writes a SavedModel whose signatures map named fields to a prediction and its reasons.

    The signature `serving_default` takes one tensor of shape (B,) for every
    field of a record (a cross is none), under the field's name (see `input_names` for
    names that TensorFlow does not take). A categorical field is given as raw
    text if its vocabulary is known and as an id if not; a numerical field is
    the scaled float that the model was trained on, as `PreparedDataset.encode` makes it, NaN
    where it is missing. A value or an id that
    the vocabulary does not hold is out of vocabulary, id 0.

    It returns `probability`, (B,), `order_weights`, (B, k), and `field_weights`,
    (B, k, m), as `model.explain` defines them, and, of a model that `fit_effects`
    gave them, `effects`, (B, m), and `pair_effects`, (B, pairs). A model without
    attention has no weights. The signature `predict` takes the same and returns
    `probability` alone, at a lower cost. The probability is calibrated if the model
    is; the file `assets.extra/calibration.txt` says how.

    Args:
        model: A model with `schema`, and with `explain` or effects.
        path: The folder to write; it must not exist.
        vocabularies: Raw values of each categorical field by its name, the
            value of id 1 first, as a prepared data set's `vocabularies` gives
            them. Defaults to `None`: categorical fields are given as ids.

    Raises:
        FileExistsError: If `path` exists.
        ValueError: If a vocabulary does not have the size that the schema says, or
            they are not those that the model was trained with, or two fields would
            get the same input name, or the model has neither attention nor effects.
    """
    path = pathlib.Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists; choose another folder for the exported model")
    server = _Server(model, vocabularies or {})
    _check_vocabularies(model, vocabularies or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        tf.saved_model.save(
            server,
            unfinished,
            signatures={
                "serving_default": server.signature(server.explain),
                "predict": server.signature(server.predict),
            },
        )
        extra = pathlib.Path(unfinished, "assets.extra")  # TensorFlow's place for files of users
        extra.mkdir()
        (extra / "calibration.txt").write_text(f"{calibration_of(model)}\n")
        os.chmod(unfinished, 0o755)
        os.replace(unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def input_names(schema: Schema) -> dict[str, str]:
    """Returns the name of each field's input in the exported signature.

    It is the field's name with every character but ASCII letters, digits and
    underscores replaced by an underscore. If that does not begin with a letter,
    or means something to Python, `field_` is put before it.

    Args:
        schema: The model's `Schema`.

    Returns:
        Dictionary from the field's name to the input's.

    Raises:
        ValueError: If two fields would get the same name but for capitals,
            which TensorFlow does not tell apart here.

    Example:

    >>> from interhat_tf import Field, Schema
    >>> input_names(Schema([Field("M.ID", "categorical", 3), Field("2nd price", "numerical")]))
    {'M.ID': 'M_ID', '2nd price': 'field_2nd_price'}
    """
    names, owners = {}, {}
    for field in (field.name for field in schema.record_fields):
        name = re.sub(r"[^0-9A-Za-z_]", "_", field)
        if not name[:1].isalpha() or keyword.iskeyword(name) or name == "self":
            name = f"field_{name}"
        owner = owners.setdefault(name.lower(), field)
        if owner != field:
            raise ValueError(
                f"fields {owner!r} and {field!r} would both be the input {name!r}; rename one"
            )
        names[field] = name
    return names


def _check_vocabularies(model: Any, vocabularies: Mapping[str, Sequence[str]]) -> None:
    given = {
        field.name: list(vocabularies[field.name])
        for field in model.schema.categorical
        if field.name in vocabularies
    }
    trained_on = getattr(model, "trained_on", {})
    if (
        trained_on
        and len(given) == len(model.schema.categorical)
        and content_digest(given) != trained_on["vocabulary"]
    ):
        raise ValueError(
            f"the vocabularies are not those of {trained_on['name']}, which the model was trained "
            f"on: its ids stand for other values there; give that set's vocabularies"
        )


class _Server(tf.Module):
    """The model behind lookups of raw values."""

    def __init__(self, model: Any, vocabularies: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        names = input_names(model.schema)
        self.model = model
        self.effect_head = getattr(model, "effect_head", None)  # which the model does not track
        self.tables = {
            names[field.name]: _lookup_table(field, vocabularies[field.name])
            for field in model.schema.categorical
            if vocabularies.get(field.name) is not None
        }

    def signature(self, function: Callable[..., dict[str, tf.Tensor]]) -> Any:
        """Returns `explain` or `predict`, traced for the schema's fields."""
        specs = {}
        for field, name in self._fields(self.model.schema.record_fields):
            dtype = tf.float32 if field.kind == NUMERICAL else tf.int32
            dtype = tf.string if name in self.tables else dtype
            specs[name] = tf.TensorSpec([None], dtype, name=name)
        return tf.function(function).get_concrete_function(**specs)

    def explain(self, **values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the probability and its reasons."""
        return explained(self.model, self._inputs(values))

    def predict(self, **values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the probability."""
        return predicted(self.model, self._inputs(values))

    def _inputs(self, values):
        schema, inputs = self.model.schema, {}
        if schema.categorical:
            ids = [self._ids(f, name, values[name]) for f, name in self._fields(schema.categorical)]
            inputs[CATEGORICAL] = tf.stack(ids, axis=1)  # (B, C)
        if schema.numerical:
            numbers = [values[name] for _, name in self._fields(schema.numerical)]
            inputs[NUMERICAL] = tf.stack(numbers, axis=1)  # (B, N)
        return inputs

    def _ids(self, field, name, values):
        if name in self.tables:
            return self.tables[name].lookup(values)
        known = (values >= 0) & (values < field.vocabulary_size)
        return tf.where(known, values, OUT_OF_VOCABULARY)

    def _fields(self, fields):
        names = input_names(self.model.schema)
        return [(field, names[field.name]) for field in fields]


def _lookup_table(field: Field, values: Sequence[str]) -> tf.lookup.StaticHashTable:
    if len(values) + 1 != field.vocabulary_size:
        raise ValueError(
            f"field {field.name!r}: the vocabulary has {len(values)} values, "
            f"the schema has room for {field.vocabulary_size - 1}"
        )
    ids = tf.range(1, len(values) + 1, dtype=tf.int32)
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(values, tf.string), ids)
    return tf.lookup.StaticHashTable(pairs, default_value=OUT_OF_VOCABULARY)
