import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation.attention_maps import Attention, mean_attention
from interhat_tf.explanation.batches import explain_batches, where

SCHEMA = Schema(
    [Field(f"f{i}", "categorical", 4) for i in range(1, 4)] + [Field("price", "numerical")]
)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return InterHAt(SCHEMA, order=2, embeddings_initializer="random_normal")


def make_inputs(rows, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "categorical": rng.integers(0, 4, (rows, 3)).astype("int32"),
        "numerical": rng.normal(size=(rows, 1)).astype("float32"),
    }


def cut(inputs, *sizes):
    ends = np.cumsum(sizes)
    return [
        {name: value[end - size : end] for name, value in inputs.items()}
        for end, size in zip(ends, sizes, strict=True)
    ]


def assert_same(actual, expected, rtol=1e-5):
    for name, value in vars(expected).items():
        if name == "field_names":
            assert actual.field_names == value
        else:
            np.testing.assert_allclose(getattr(actual, name), value, rtol, atol=1e-7, err_msg=name)


def test_mean_and_deviation_equal_a_loop_over_the_records(model):
    inputs = make_inputs(30)
    explained = model.explain(inputs)
    kept = [i for i in range(30) if inputs["categorical"][i, 0] == 2]
    assert 2 < len(kept) < 20

    result = mean_attention(model, cut(inputs, 16, 14), where(SCHEMA, f1=2))

    assert result.records == len(kept)
    assert result.field_names == ("f1", "f2", "f3", "price")
    field_weights = [np.asarray(explained["field_weights"][i], "float64") for i in kept]
    order_weights = [np.asarray(explained["order_weights"][i], "float64") for i in kept]
    probabilities = [1 / (1 + np.exp(-float(explained["logits"][i]))) for i in kept]
    np.testing.assert_allclose(result.field_weights, sum(field_weights) / len(kept), rtol=1e-5)
    np.testing.assert_allclose(result.order_weights, sum(order_weights) / len(kept), rtol=1e-5)
    np.testing.assert_allclose(result.probability, sum(probabilities) / len(kept), rtol=1e-5)
    np.testing.assert_allclose(result.field_weights_std, np.std(field_weights, 0), atol=1e-7)
    np.testing.assert_allclose(result.order_weights_std, np.std(order_weights, 0), atol=1e-7)
    np.testing.assert_allclose(result.probability_std, np.std(probabilities), atol=1e-7)
    assert result.field_weights.dtype == result.order_weights.dtype == np.float64
    # The comparison means something only if the records differ.
    assert result.field_weights_std.min() > 1e-5


def test_uneven_batches_equal_one(model):
    inputs = make_inputs(50)
    assert_same(
        mean_attention(model, cut(inputs, 1, 29, 7, 0, 13)), mean_attention(model, [inputs])
    )


def test_reads_a_tf_data_set_with_labels(model):
    inputs = make_inputs(20)
    dataset = tf.data.Dataset.from_tensor_slices((inputs, np.zeros(20))).batch(8)
    assert_same(mean_attention(model, dataset), mean_attention(model, [inputs]))


def test_a_single_record_does_not_deviate(model):
    result = mean_attention(model, [make_inputs(1)])
    assert result.records == 1
    assert not result.field_weights_std.any()
    assert result.probability_std == 0


def test_extreme_logits_have_a_probability():
    class Certain:
        schema = SCHEMA

        def explain(self, inputs):
            return {
                "logits": tf.constant([-2000.0, 2000.0]),
                "order_weights": tf.ones((2, 1)),
                "field_weights": tf.ones((2, 1, 4)) / 4,
            }

    with np.errstate(all="raise"):
        assert mean_attention(Certain(), [make_inputs(2)]).probability == 0.5


def test_no_matching_record_is_an_error(model):
    with pytest.raises(ValueError, match="no record satisfies the condition"):
        mean_attention(model, [make_inputs(5)], lambda inputs: np.zeros(5, bool))


@pytest.mark.parametrize(
    "condition", [lambda inputs: np.ones((5, 1), bool), lambda inputs: inputs["categorical"][:, 0]]
)
def test_a_condition_returns_a_boolean_mask(model, condition):
    with pytest.raises(ValueError, match=r"boolean mask of shape \(5,\)"):
        mean_attention(model, [make_inputs(5)], condition)


def test_an_id_out_of_range_names_the_row_of_the_data_set(model):
    inputs = make_inputs(10)
    inputs["categorical"][7, 1] = 4
    with pytest.raises(ValueError, match="field 'f2', row 7: id 4"):
        mean_attention(model, cut(inputs, 5, 5))


def test_explains_only_what_the_condition_selects(model):
    inputs = make_inputs(40)
    condition = where(SCHEMA, f1=3, f3=0)
    explained = list(explain_batches(model, cut(inputs, 20, 20), condition))
    records = np.concatenate([selected["categorical"] for selected, _ in explained])
    mask = (inputs["categorical"][:, 0] == 3) & (inputs["categorical"][:, 2] == 0)
    np.testing.assert_array_equal(records, inputs["categorical"][mask])
    expected = model.explain({name: value[mask] for name, value in inputs.items()})
    for name in ("logits", "order_weights", "field_weights"):
        actual = np.concatenate([explanation[name] for _, explanation in explained])
        np.testing.assert_allclose(actual, expected[name], rtol=1e-5, atol=1e-6)


def test_compiles_once_and_sees_new_weights_and_frees_the_model():
    traces = []

    class Counting(InterHAt):
        def explain(self, inputs):
            traces.append(inputs["categorical"].shape)
            return super().explain(inputs)

    model = Counting(SCHEMA, order=2)
    inputs = make_inputs(9)
    before = mean_attention(model, cut(inputs, 4, 3, 2))
    model.set_weights([weight + 0.1 for weight in model.get_weights()])
    after = mean_attention(model, cut(inputs, 2, 3, 4))
    assert [tuple(shape) for shape in traces] == [(4, 3), (None, 3)]
    assert before.probability != after.probability
    expected = np.mean(keras.ops.convert_to_numpy(keras.ops.sigmoid(model(inputs))))
    np.testing.assert_allclose(after.probability, expected, rtol=1e-5)

    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_where_needs_known_categorical_fields_and_ids():
    for ids, message in [
        ({"f9": 1}, "'f9' is not in the schema"),
        ({"price": 1}, "'price' is numerical"),
        ({"f1": 4}, r"id 4 is outside the vocabulary \[0, 4\)"),
        ({"f1": -1}, "id -1 is outside"),
    ]:
        with pytest.raises(ValueError, match=message):
            where(SCHEMA, **ids)


def test_where_takes_any_field_name():
    schema = Schema([Field("schema", "categorical", 3), Field("User ID", "categorical", 3)])
    condition = where(schema, **{"schema": 1, "User ID": 2})
    mask = condition({"categorical": np.array([[1, 2], [1, 1], [2, 2]])})
    assert mask.tolist() == [True, False, False]


def test_npz_round_trip(model, tmp_path):
    attention = mean_attention(model, [make_inputs(6)])
    path = tmp_path / "new" / "attention.npz"
    attention.save(path)
    loaded = Attention.load(path)
    assert_same(loaded, attention, rtol=0)
    assert isinstance(loaded.records, int) and isinstance(loaded.probability, float)
    assert [file.name for file in path.parent.iterdir()] == ["attention.npz"]
    with np.load(path) as arrays:
        assert arrays["field_names"].tolist() == ["f1", "f2", "f3", "price"]


def test_a_failed_write_leaves_the_old_file(model, tmp_path, monkeypatch):
    attention = mean_attention(model, [make_inputs(6)])
    path = tmp_path / "attention.npz"
    attention.save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        attention.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
