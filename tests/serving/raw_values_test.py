"""Tests that exported models make of raw values what `encode` does."""

import json
import textwrap
import types

import keras
import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pytest
import tensorflow as tf

from interhat_tf import prepare_click_log
from interhat_tf.calibration import Calibration, probability
from interhat_tf.models import FM
from interhat_tf.preprocessing.column_forms import Reading
from interhat_tf.preprocessing.encoding import Encoding, encode_values
from interhat_tf.preprocessing.fields import Bucketed, Numerical
from interhat_tf.preprocessing.times import UNITS
from interhat_tf.serving import export_onnx, export_saved_model, input_names
from interhat_tf.serving import onnx as onnx_file
from interhat_tf.serving.raw_inputs import RawInputs, _seconds, bucket_edges
from tests.conftest import run_python
from tests.models.held_effects import with_effects
from tests.numpy_reference import randomise
from tests.serving.raw_log import as_served, prepare, raw_records
from tests.serving.served import chosen, make_model

REASONS = ("order_weights", "field_weights", "effects")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def model(data):
    keras.utils.set_random_seed(0)
    made = with_effects(randomise(make_model(data.schema)))
    logits = np.asarray(made(data.encode(raw_records(500), max_unknown=1.0)))
    slope = float(1 / logits.std())  # so that probabilities are far apart
    made.calibration = Calibration("platt", 500, slope, float(-slope * logits.mean()))
    return made


@pytest.fixture(scope="module")
def exported(model, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    export_saved_model(model, folder / "served", data)
    export_onnx(model, folder / "model.onnx", data)
    return folder


def expected(model, data, records):
    """What Python says of records: the outputs, and the share of unknown values."""
    inputs = data.encode(records, max_unknown=1.0)
    explanation = model.explain(inputs)
    outputs = chosen(explanation, REASONS)
    outputs["probability"] = model.calibration.probability(explanation["logits"])
    return {**outputs, "unknown_share": (inputs["categorical"] == 0).mean(axis=1)}


def by_saved_model(path, columns, signature="serving_default"):
    names = input_names(columns)
    tensors = {names[column]: tf.constant(values) for column, values in columns.items()}
    outputs = tf.saved_model.load(str(path)).signatures[signature](**tensors)
    return {name: value.numpy() for name, value in outputs.items()}


def by_onnx(path, columns):
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, columns), strict=True))


def assert_near(outputs, others):
    assert set(outputs) == set(others)
    for name, values in others.items():
        np.testing.assert_allclose(outputs[name], values, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("rows", [1, 2000])
def test_files_and_python_agree_on_raw_values(exported, model, data, rows):
    records = raw_records(rows)
    python, columns = expected(model, data, records), as_served(records)
    assert rows == 1 or 0.05 < python["unknown_share"].mean() < 0.6
    assert rows == 1 or python["probability"].std() > 0.05
    assert_near(by_saved_model(exported / "served", columns), python)
    assert_near(by_onnx(exported / "model.onnx", columns), python)
    alone = by_saved_model(exported / "served", columns, "predict")
    assert_near(alone, {"probability": python["probability"]})


@pytest.mark.parametrize("scaling", ["log", "quantiles"])
def test_a_number_that_varies_little_keeps_its_digits(tmp_path, scaling):
    amounts = 1.7e9 + 18.0 * np.random.default_rng(0).permutation(200)  # within an hour, in seconds
    lines = [f"{row % 2},{'ab'[row % 3 % 2]},{amount:.0f}" for row, amount in enumerate(amounts)]
    (tmp_path / "clicks.csv").write_text("\n".join(["click,app,amount", *lines]) + "\n")
    data = prepare_click_log(
        tmp_path / "clicks.csv", name="narrow", data_dir=tmp_path, numerical="amount",
        categorical="app", scaling=scaling,
    )  # fmt: skip
    model = randomise(FM(data.schema, embedding_dim=3))
    export_onnx(model, tmp_path / "model.onnx", data, explain=False)
    records = {"app": ["a"] * 200, "amount": amounts.tolist()}
    python = probability(np.asarray(model(data.encode(records)))[:, 0])
    assert python.std() > 0.02
    columns = {"app": np.array(records["app"], object), "amount": amounts}
    found = by_onnx(tmp_path / "model.onnx", columns)
    np.testing.assert_allclose(found["probability"], python, rtol=0, atol=1e-5)


def test_what_does_not_fit_into_a_file_is_refused_before_it_is_made(
    model, data, tmp_path, monkeypatch
):
    weights = 4 * model.count_params()
    for room, message in ((weights - 1, "holds at most 2 GB"), (weights + 9, "a SavedModel")):
        monkeypatch.setattr(onnx_file, "MAX_BYTES", room)
        with pytest.raises(ValueError, match=message):
            export_onnx(model, tmp_path / "model.onnx", data)
    assert not any(tmp_path.iterdir())


def test_files_know_their_inputs_by_name_and_kind(exported):
    kinds = {"app": "text", "M.ID": "text", "member": "text", "seen at": "time"}
    kinds |= dict.fromkeys(["price", "age", "hits", "depth"], "number")
    metadata = {prop.key: prop.value for prop in onnx.load(exported / "model.onnx").metadata_props}
    assert json.loads(metadata["inputs"]) == kinds
    said = json.loads((exported / "served/assets.extra/description.json").read_text())
    assert said.pop("names")["M.ID"] == "M_ID"
    assert said == metadata
    assert said["format"] == "1"
    fields = ["app", "M.ID", "member", "depth", "seen at_hour", "seen at_weekday"]
    assert set(json.loads(said["fields"])) == {*fields, "price", "age", "hits"}
    assert said["calibration"] == "calibrated by Platt scaling on 500 validation records"


def test_a_value_has_its_id_however_it_is_spelt(data):
    for field, spellings in (("member", ("true", "True", "YES")), ("M.ID", ("7", "7.0", " 7.0"))):
        assert len({data.id_of(field, spelt) for spelt in spellings}) == 1
    with pytest.raises(ValueError, match=r"no value 'perhaps' in field 'member'"):
        data.id_of("member", "perhaps")


def test_an_infinite_number_is_refused(exported, data):
    records = raw_records(4)
    records["price"][2] = np.inf
    with pytest.raises(ValueError, match="'price', row 2: the number is inf; it must be finite"):
        data.encode(records)
    with pytest.raises(tf.errors.InvalidArgumentError, match="price: a number must be finite"):
        by_saved_model(exported / "served", as_served(records))
    found = by_onnx(exported / "model.onnx", as_served(records))["probability"]
    assert np.isnan(found).tolist() == [False, False, True, False]


def test_a_server_that_runs_a_session_gives_the_same(exported, model, data):
    records = raw_records(50)
    columns, names = as_served(records), input_names(as_served(records))
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(exported / "served"))
        signature = loaded.signature_def["serving_default"]
        tensors = {signature.inputs[names[column]].name: v for column, v in columns.items()}
        outputs = {name: output.name for name, output in signature.outputs.items()}
        found = session.run(outputs, tensors)
    assert_near(found, expected(model, data, records))


@pytest.mark.parametrize("unit", UNITS)
def test_times_before_1970_are_read_in_any_unit(unit):
    seconds = np.array([-5e8, 1e9])
    np.testing.assert_array_equal(_seconds(tf.constant(seconds * unit)), seconds)


def test_times_are_read_in_any_unit(exported):
    columns = as_served(raw_records(50))
    answers = []
    for unit in (1, 1e3, 1e6, 1e9):
        columns["seen at"] = np.full(50, 1.7e9 * unit)
        answers.append(by_onnx(exported / "model.onnx", columns)["probability"])
    assert np.ptp(answers, axis=0).max() == 0


@pytest.mark.slow
def test_a_process_without_this_library_gives_the_same(exported, model, data, tmp_path):
    records = raw_records(300)
    columns = as_served(records)
    np.savez(tmp_path / "columns.npz", **{k: v.astype(v.dtype) for k, v in columns.items()})
    script = """
        import json, sys

        class Forbidden:
            def find_spec(self, name, *_):
                if name.split(".")[0] in names:
                    raise ImportError(f"{name} is out of reach")

        names = sys.argv[2].split(",")
        sys.meta_path.insert(0, Forbidden())
        import numpy as np

        folder = sys.argv[1]
        columns = dict(np.load(folder + "/columns.npz", allow_pickle=True))
        if "tensorflow" in names:
            import onnxruntime
            session = onnxruntime.InferenceSession(sys.argv[3] + "/model.onnx")
            found = [output.name for output in session.get_outputs()]
            outputs = dict(zip(found, session.run(None, columns)))
        else:
            import tensorflow as tf
            path = sys.argv[3] + "/served"
            names_of = json.load(open(path + "/assets.extra/description.json"))["names"]
            signature = tf.saved_model.load(path).signatures["serving_default"]
            outputs = signature(**{names_of[k]: tf.constant(v) for k, v in columns.items()})
            outputs = {k: v.numpy() for k, v in outputs.items()}
        np.savez(folder + "/outputs.npz", **outputs)
    """
    for names in ("interhat_tf", "interhat_tf,tensorflow,keras,pyarrow"):
        run_python("-c", textwrap.dedent(script), tmp_path, names, exported, PYTHONPATH="")
        found = dict(np.load(tmp_path / "outputs.npz"))
        assert_near(found, expected(model, data, records))


def test_a_model_of_another_set_is_refused(model, data, tmp_path):
    digests = {"name": "other", **data.digests}
    trained_on = model.trained_on
    try:
        for part, message in (("vocabulary", "its ids stand"), ("numbers", "scaled numbers stand")):
            model.trained_on = {**digests, part: "0" * 32}
            for export in (export_saved_model, export_onnx):
                with pytest.raises(ValueError, match=message):
                    export(model, tmp_path / "model", data)
    finally:
        model.trained_on = trained_on
    with pytest.raises(TypeError, match=r"data is the prepared set .*, not of type dict"):
        export_saved_model(model, tmp_path / "model", data.vocabularies)
    assert not list(tmp_path.iterdir())


def inputs_of(fields, ranges, buckets):
    encoding = Encoding(tuple(fields), {}, ranges, buckets)
    data = types.SimpleNamespace(encoding=encoding, reading=Reading.plain(fields))
    return encoding, RawInputs(data)


@pytest.mark.parametrize("low, high", [(0.0, 49.0), (-1.0, 1.0), (1e9, 1e9 + 7), (0.0, 0.3)])
def test_buckets_begin_where_numpy_puts_them(low, high):
    field = Bucketed("x", 49)
    seen = np.array([-1, *range(0, 50, 2)])
    encoding, inputs = inputs_of([field], {"x": (low, high)}, {"x": seen})
    edges = bucket_edges(field, low, high)
    numbers = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
    numbers = np.concatenate([numbers, [low - 1, high + 1, low, 0.0, np.nan]])
    expected = encode_values(pa.table({"x": pa.array(numbers, from_pandas=True)}), encoding)
    found = tf.function(inputs.encode, autograph=False)({"x": tf.constant(numbers)})["categorical"]
    np.testing.assert_array_equal(found[:, 0], expected["categorical"][0])


def test_fields_that_never_vary():
    fields = [Bucketed("x", 5), Numerical("y"), Numerical("z", may_be_missing=True)]
    ranges = dict.fromkeys("xyz", (2.0, 2.0))
    encoding, inputs = inputs_of(fields, ranges, {"x": np.array([0])})
    numbers = [1.0, 2.0, 3.0, np.nan]
    values = {name: pa.array(numbers, from_pandas=True) for name in "xyz"}
    expected = encode_values(pa.table(values), encoding)
    found = inputs.encode({name: tf.constant(numbers, tf.float64) for name in "xyz"})
    np.testing.assert_array_equal(found["categorical"], expected["categorical"].T)
    np.testing.assert_array_equal(found["numerical"], expected["numerical"].T)
