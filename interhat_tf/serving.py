"""Exports a model for serving: a SavedModel that takes fields by name, or an ONNX file."""

import keyword
import os
import pathlib
import re
import shutil
import tempfile

import tensorflow as tf

from interhat_tf.schema import CATEGORICAL, NUMERICAL, OUT_OF_VOCABULARY
from interhat_tf.utils.files import atomic_write


def export_saved_model(model, path, vocabularies=None):
    """Writes a SavedModel whose signatures map named fields to a prediction and its reasons.

    The signature `serving_default` takes one tensor of shape (B,) for every
    field of the model's schema, under the field's name (see `input_names` for
    names that TensorFlow does not take). A categorical field is
    given as raw text if its vocabulary is known and as an id if not; a numerical
    field is the normalised float that the model was trained on. It returns
    `probability`, (B,), `order_weights`, (B, k), and `field_weights`, (B, k, m),
    as `model.explain` defines them. A value or an id that the vocabulary does
    not hold is out of vocabulary, id 0. The signature `predict` takes the same
    and returns `probability` alone, at a lower cost.

    Args:
        model: A model with `schema` and `explain`.
        path: The folder to write; it must not exist.
        vocabularies: Raw values of each categorical field by its name, the
            value of id 1 first, as a prepared data set's `vocabularies` gives
            them. Defaults to `None`: categorical fields are given as ids.

    Raises:
        FileExistsError: If `path` exists.
        ValueError: If a vocabulary does not have the size that the schema says,
            or two fields would get the same input name.
    """
    path = pathlib.Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists; choose another folder for the exported model")
    server = _Server(model, vocabularies or {})
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
        os.chmod(unfinished, 0o755)
        os.replace(unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def export_onnx(model, path, explain=True):
    """Writes an ONNX file, for ONNX Runtime and other engines without TensorFlow.

    Its inputs are the model's own, `categorical`, (B, C) int32 ids, and
    `numerical`, (B, N) floats, as far as the schema has such fields; its outputs
    are those of `export_saved_model`. It has no vocabularies: the ids are what
    `PreparedDataset.encode` returns, and must be in their ranges. An ONNX file
    holds at most 2 GB.

    Args:
        model: A model with `schema`, and with `explain` unless that is not asked for.
        path: The file to write; it must not exist.
        explain: Whether `order_weights` and `field_weights` are among the
            outputs, beside `probability`. Defaults to `True`.

    Raises:
        FileExistsError: If `path` exists.
        ImportError: If tf2onnx is not installed.
    """
    try:
        import tf2onnx
    except ImportError as error:
        raise ImportError("export_onnx needs tf2onnx: pip install 'interhat_tf[onnx]'") from error

    path = pathlib.Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists; choose another file for the exported model")
    specs = {
        CATEGORICAL: (model.schema.categorical, tf.int32),
        NUMERICAL: (model.schema.numerical, tf.float32),
    }
    specs = [
        tf.TensorSpec((None, len(fields)), dtype, name=kind)
        for kind, (fields, dtype) in specs.items()
        if fields
    ]

    @tf.function(input_signature=specs)
    def serve(*arrays):
        inputs = {spec.name: array for spec, array in zip(specs, arrays, strict=True)}
        return _explained(model, inputs) if explain else _predicted(model, inputs)

    graph, _ = tf2onnx.convert.from_function(serve, input_signature=specs, opset=17)
    with atomic_write(path) as file:
        file.write(graph.SerializeToString())


def input_names(schema):
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
    for field in schema.field_names:
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


def _explained(model, inputs):
    explanation = model.explain(inputs)
    return {
        "probability": tf.sigmoid(explanation["logits"]),
        "order_weights": explanation["order_weights"],
        "field_weights": explanation["field_weights"],
    }


def _predicted(model, inputs):
    return {"probability": tf.sigmoid(model(inputs)[:, 0])}  # (B,)


class _Server(tf.Module):
    """The model behind look-ups of raw values."""

    def __init__(self, model, vocabularies):
        super().__init__()
        self.model = model
        self.tables = {}
        names = input_names(model.schema)
        for field in model.schema.categorical:
            if (values := vocabularies.get(field.name)) is None:
                continue
            if len(values) + 1 != field.vocabulary_size:
                raise ValueError(
                    f"field {field.name!r}: the vocabulary has {len(values)} values, "
                    f"the schema has room for {field.vocabulary_size - 1}"
                )
            self.tables[names[field.name]] = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    tf.constant(values, tf.string), tf.range(1, len(values) + 1, dtype=tf.int32)
                ),
                default_value=OUT_OF_VOCABULARY,
            )

    def signature(self, function):
        """Returns a function of named fields, traced."""
        specs = {}
        names = input_names(self.model.schema)
        for field in self.model.schema.fields:
            name = names[field.name]
            dtype = tf.float32 if field.kind == NUMERICAL else tf.int32
            dtype = tf.string if name in self.tables else dtype
            specs[name] = tf.TensorSpec([None], dtype, name=name)
        return tf.function(function).get_concrete_function(**specs)

    def explain(self, **values):
        """Returns the probability and its reasons."""
        return _explained(self.model, self._inputs(values))

    def predict(self, **values):
        """Returns the probability."""
        return _predicted(self.model, self._inputs(values))

    def _inputs(self, values):
        schema, names, inputs = self.model.schema, input_names(self.model.schema), {}
        if schema.categorical:
            ids = [self._ids(names[f.name], f, values[names[f.name]]) for f in schema.categorical]
            inputs[CATEGORICAL] = tf.stack(ids, axis=1)  # (B, C)
        if schema.numerical:
            numbers = [values[names[field.name]] for field in schema.numerical]
            inputs[NUMERICAL] = tf.stack(numbers, axis=1)  # (B, N)
        return inputs

    def _ids(self, name, field, values):
        if name in self.tables:
            return self.tables[name].lookup(values)
        known = (values >= 0) & (values < field.vocabulary_size)
        return tf.where(known, values, OUT_OF_VOCABULARY)
