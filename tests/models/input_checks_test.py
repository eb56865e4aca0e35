"""Tests of what a model refuses: ids, numbers and labels that are not its schema's."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Field, InterHAt, Schema, errors
from interhat_tf.models import LR

WRONG = {
    "negative": ("categorical", [[-1, 2]], "field 'app', row 0: id -1 is outside"),
    "another field's": ("categorical", [[1, 2], [7, 2]], "field 'app', row 1: id 7 is outside"),
    "of 64 bits": ("categorical", [[2**32 + 1, 2]], "id 4294967297 is outside"),
    "a fraction": ("categorical", [[1.7, 2.0]], "must hold integer ids, got float"),
    "a truth": ("categorical", [[True, False]], "must hold integer ids, got bool"),
    "one for all": ("categorical", [[1]], r"'categorical' must have shape \(rows, 2\)"),
    "one number for all": ("numerical", [[0.5]], r"'numerical' must have shape \(rows, 2\)"),
    "no number": ("numerical", [[0.5, np.nan]], "row 0: the number is nan"),
}


@pytest.fixture(scope="module", params=[InterHAt, LR])
def model(request):
    fields = [Field("app", "categorical", 7), Field("site", "categorical", 4)]
    fields += [Field("price", "numerical"), Field("age", "numerical")]
    if request.param is LR:
        return LR(Schema(fields))
    return InterHAt(Schema(fields), embedding_dim=4, order=2, num_heads=2)


def records(kind, values):
    rows = len(values)
    right = {"categorical": np.ones((rows, 2), "int32"), "numerical": np.ones((rows, 2), "float32")}
    return {**right, kind: np.array(values)}


@pytest.mark.parametrize("wrong", WRONG)
def test_calls_and_explanations(model, wrong):
    *given, message = WRONG[wrong]
    inputs = records(*given)
    with pytest.raises(ValueError, match=message):
        model(inputs)
    if hasattr(model, "explain"):
        with pytest.raises(ValueError, match=message):
            model.explain({kind: tf.constant(values) for kind, values in inputs.items()})


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}])
@pytest.mark.parametrize("as_dataset", [False, True])
@pytest.mark.parametrize("wrong", ["negative", "another field's", "a fraction", "no number"])
def test_steps_that_are_not_compiled_or_by_xla(model, how, as_dataset, wrong):
    *given, message = WRONG[wrong]
    inputs = records(*given)
    labels = np.ones(len(inputs["categorical"]), "float32")
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True), **how)
    given = (inputs, labels)
    if as_dataset:
        given = (tf.data.Dataset.from_tensors(given),)
    for call in (model.fit, model.evaluate):
        with pytest.raises(errors.DataError, match=message):
            call(*given, verbose=0)
    with pytest.raises(errors.DataError, match=message):
        model.predict(*given[:1], verbose=0)
    for call in (model.train_on_batch, model.test_on_batch):
        with pytest.raises(errors.DataError, match=message):
            call(inputs, labels)
    with pytest.raises(errors.DataError, match=message):
        model.predict_on_batch(inputs)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("as_dataset", [False, True])
def test_compiled_steps(model, wrong, as_dataset):
    *given, message = WRONG[wrong]
    message = message.replace("row 0: the", "field 'age': the")
    message = message.replace("row 0: ", "").replace("row 1: ", "").replace("', id", "': id")
    inputs = records(*given)
    labels = np.ones(len(inputs["categorical"]), "float32")
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    given = (inputs, labels)
    if as_dataset:
        given = (tf.data.Dataset.from_tensors(given),)
    message = message.replace("field 'app', ", "field 'app': ")
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=message):
            call(*given, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.predict(*given[:1], verbose=0)
    with pytest.raises(ValueError, match=message):
        model.predict_on_batch(inputs)
    for call in (model.train_on_batch, model.test_on_batch):
        with pytest.raises(errors.DataError, match=message):
            call(inputs, labels)


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}, {"jit_compile": True}])
@pytest.mark.parametrize("label", [-1.0, 2.0, np.nan])
def test_labels_that_are_none(model, label, how):
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True), **how)
    inputs, labels = records("categorical", [[1, 2]] * 3), np.array([0, label, 1], "float32")
    with pytest.raises(ValueError, match=f"a label is {label:g}; labels are 0 or 1, or between"):
        model.fit(inputs, labels, verbose=0)


def test_compiled_steps_see_what_stands_behind_padding_and_what_may_be_missing():
    fields = [
        Field("tags", "multivalued", 5, max_length=3),
        Field("words", "multivalued", 5, max_length=2),
    ]
    fields += [Field("price", "numerical", may_be_missing=True), Field("age", "numerical")]
    model = InterHAt(Schema(fields), embedding_dim=4, order=2, num_heads=2)
    right = {
        "multivalued": np.array([[1, -1, -1, 2, -1]] * 3),
        "numerical": np.array([[np.nan, 0.5]] * 3, "float32"),
    }
    assert np.isfinite(model.predict(right, verbose=0)).all()
    behind = {**right, "multivalued": np.array([[1, -1, 4, 2, -1]] * 3)}
    with pytest.raises(errors.DataError, match="field 'tags': id 4 comes after -1"):
        model.predict(behind, verbose=0)
    missing = {
        **right,
        "numerical": np.array([[0.5, 0.5], [0.5, np.nan]], "float32").repeat(2, 0)[:3],
    }
    with pytest.raises(errors.DataError, match="field 'age': the number is nan"):
        model.predict(missing, verbose=0)


def test_records_that_are_no_dictionary_of_arrays(model):
    ids = np.ones((3, 2), "int32")
    for call in (model, model.predict):
        with pytest.raises(errors.DataError, match="a dictionary with 'categorical' and 'numer"):
            call(ids)
    for call in (model, getattr(model, "explain", model)):
        with pytest.raises(errors.DataError, match=r"'categorical' must be an array .*, got list"):
            call({"categorical": [[1, 1]], "numerical": [[0.5, 0.5]]})


def test_soft_labels_are_labels(model):
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    inputs = records("categorical", [[1, 2]] * 3)
    logits = np.asarray(model(inputs), "float64")[:, 0]
    loss = model.evaluate(inputs, np.array([0.0, 0.25, 1.0]), verbose=0)
    expected = np.mean(np.logaddexp(0, logits) - [0.0, 0.25, 1.0] * logits)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_kerass_quantisation_is_refused(schema):
    with pytest.raises(errors.SettingError, match="quantize does not know these layers"):
        LR(schema).quantize("int8")


def test_a_loss_of_probabilities_is_warned_of(schema, batch):
    def fit(loss, **metrics):
        model = LR(schema)
        model.compile("adam", loss, run_eagerly=True, **metrics)
        model.fit(batch, np.arange(16) % 2, verbose=0)

    for loss in ("binary_crossentropy", keras.losses.BinaryCrossentropy()):
        with pytest.warns(UserWarning, match="gives logits, which .*inary_?[cC]rossentropy would"):
            fit(loss)
    right = keras.losses.BinaryCrossentropy(from_logits=True)
    with pytest.warns(UserWarning, match="which AUC would take for probabilities"):
        fit(right, metrics=["accuracy", keras.metrics.AUC()])
    with warnings.catch_warnings(action="error", category=UserWarning):
        fit(right, metrics=[keras.metrics.AUC(from_logits=True)])
