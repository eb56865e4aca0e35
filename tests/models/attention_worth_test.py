"""What attention is worth, on models whose attention is known to matter or not to matter."""

import keras
import numpy as np
import pytest

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.training import evaluate_batches
from tests.numpy_reference import randomise

SCHEMA = Schema([Field("a", "categorical", 9), Field("b", "categorical", 9)])


@pytest.fixture
def batches(rng):
    ids = rng.integers(0, 9, (2, 400, 2))
    labels = rng.integers(0, 2, (2, 400)).astype("float32")
    return [({"categorical": x}, y) for x, y in zip(ids, labels, strict=True)]


def label_by(model, batches):
    """Replaces labels: a record is clicked if the model's logit is above the median."""
    logits = [np.asarray(model(inputs))[:, 0] for inputs, _ in batches]
    middle = np.median(np.concatenate(logits))
    return [
        (inputs, (z > middle).astype("float32"))
        for (inputs, _), z in zip(batches, logits, strict=True)
    ]


def make(**arguments):
    sizes = {"embedding_dim": 4, "num_heads": 2, "key_dim": 3, "attention_size": 3, "order": 2}
    return randomise(InterHAt(SCHEMA, **{**sizes, "mlp_units": (), **arguments}), seed=1)


def predicting_by_attention_alone(**arguments):
    """Returns a model of logit alpha_a - alpha_b, or its positive part if there are values."""
    arguments |= {"score_batch_norm": False, "mlp_batch_norm": False, "aggregation_bias": False}
    model = make(self_attention=False, order=1, embedding_dim=2, attention_size=2, **arguments)
    ids = np.arange(18)
    model.embedding.table.assign(np.stack([np.where(ids < 9, 1, -1), np.sin(ids)], axis=1))
    model.aggregations[0].projection.kernel.assign([[0, 0], [1, -1]])
    model.aggregations[0].context.assign([[3], [-3]])
    for values in model.field_values:
        values.kernel.assign([[1], [0], [1], [0]])
    model.mlp[-1].kernel.assign([[1]] if model.field_values else [[1], [0]])
    return model


FORMS = pytest.mark.parametrize("arguments", [{}, {"value_dim": 8}], ids=["plain", "values"])


@pytest.mark.parametrize("arguments", [{}, {"value_dim": 1}], ids=["plain", "values"])
def test_attention_that_makes_the_prediction_is_missed(batches, arguments):
    model = predicting_by_attention_alone(**arguments)
    batches = label_by(model, batches)
    found = model.diagnose(batches, evaluate_batches)["attention"]
    assert found["auc_lost"] == pytest.approx(0.5, abs=0.02)  # all logits are the same
    assert found["auc_lost_with_orders"] == found["auc_lost"]
    assert found["logloss_lost"] > 0.01 and found["spread"] > 0.1
    assert not found["idle"]
    assert model.diagnosis == {"attention": found}


@FORMS
def test_uniform_attention_is_idle(batches, arguments):
    model = make(**arguments)
    for layer in (*model.aggregations, model.order_aggregation):
        layer.context.assign(0 * layer.context)  # all scores are zero
    found = model.diagnose(label_by(model, batches), evaluate_batches)["attention"]
    assert found["idle"]
    np.testing.assert_allclose([v for k, v in found.items() if k != "idle"], 0, atol=1e-5)


@pytest.mark.parametrize("cost", [{"auc": 0.49}, {"logloss": 0.51}], ids=str)
def test_attention_that_costs_either_is_not_idle(batches, cost):
    whole = {"auc": 0.5, "logloss": 0.5}
    figures = iter([whole, {**whole, **cost}, whole])

    def evaluate(batches, predict):
        predict(batches[0][0])
        return next(figures)

    assert not make().diagnose(batches, evaluate)["attention"]["idle"]


def test_weights_are_fixed_to_their_means(batches):
    model = make()
    asked = []

    def evaluate(batches, predict):
        asked.append(np.concatenate([np.asarray(predict(inputs)) for inputs, _ in batches]))
        return {"auc": 0.5, "logloss": 0.5}

    found = model.diagnose(batches, evaluate)["attention"]
    assert found["auc_lost"] == found["logloss_lost"] == 0
    explained = [model.explain(inputs) for inputs, _ in batches]
    alpha, order = (
        np.concatenate([e[name] for e in explained]) for name in ("field_weights", "order_weights")
    )  # (B, k, m), (B, k)
    fields = np.concatenate([np.asarray(model.embedding(inputs)) for inputs, _ in batches])
    given = {"field_weights": alpha.mean(axis=0), "order_weights": order.mean(axis=0)}
    both = model.forward(keras.ops.convert_to_tensor(fields), **given)
    np.testing.assert_allclose(asked[2], both.logits, atol=1e-5)
    np.testing.assert_allclose(both.order_weights[0], given["order_weights"], atol=1e-6)
    assert np.abs(asked[0] - asked[1]).max() > 1e-3 and np.abs(asked[1] - asked[2]).max() > 1e-4
    expected = (alpha.std(axis=0).sum(axis=1) * order.mean(axis=0)).sum()
    assert found["spread"] == pytest.approx(expected, rel=1e-4)


def test_the_diagnosis_is_saved_and_no_part_of_the_configuration(batches, tmp_path):
    model = make()
    assert model.diagnosis == {}
    found = model.diagnose(batches, evaluate_batches)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.diagnosis == found
    assert "attention" not in InterHAt.from_config(model.get_config()).diagnosis
