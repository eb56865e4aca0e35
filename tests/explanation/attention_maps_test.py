import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import InterHAt
from interhat_tf.explanation.attention_maps import Attention, mean_attention
from interhat_tf.explanation.selection import where
from tests.explanation.made import SCHEMA, cut, make_inputs


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return InterHAt(SCHEMA, order=2, embeddings_initializer="random_normal")


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
