import keras
import numpy as np
import pytest

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.models.score_scales import varying_shares

ROWS = 2000
SCHEMA = Schema(
    [
        Field("user", "categorical", 21),
        Field("os", "categorical", 3),
        Field("version", "categorical", 2),
        Field("price", "numerical"),
    ]
)


@pytest.fixture
def batches(rng):
    """Two batches in which `os` is 2 in one record of 500 and `version` the same in all."""
    os = np.where(np.arange(ROWS) % 500, 1, 2)
    columns = [rng.integers(1, 21, ROWS), os, np.ones(ROWS, "int64")]
    inputs = {
        "categorical": np.stack(columns, axis=1),
        "numerical": rng.normal(size=(ROWS, 1)).astype("float32"),
    }
    parts = [
        {kind: v[rows] for kind, v in inputs.items()} for rows in np.split(np.r_[:ROWS], [700])
    ]
    return [(part, np.zeros(len(part["numerical"]))) for part in parts]


def make(**arguments):
    return InterHAt(
        SCHEMA, self_attention=False, embedding_dim=64, order=2, value_dim=8, **arguments
    )


def gammas(model):
    return [np.reshape(a.normalization.gamma, (4, 64)) for a in model.aggregations]


def test_shares_are_those_of_all_records(batches):
    model = make()
    model.embedding.table.assign(np.random.default_rng(0).normal(size=(26, 64)))
    shares = varying_shares(model, batches)
    whole = [np.concatenate([part[kind] for part, _ in batches]) for kind in batches[0][0]]
    found = model.forward(model.embedding(dict(zip(batches[0][0], whole, strict=True))))
    for of_order, features in zip(shares, map(np.asarray, found.features), strict=True):
        varies, power = features.var(axis=0).sum(-1), (features**2).mean(axis=0).sum(-1)
        np.testing.assert_allclose(of_order, varies / power, atol=1e-5)
    np.testing.assert_allclose(shares[0, [0, 2, 3]], [0.95, 0.0, 1.0], atol=0.03)
    assert 0.002 < shares[0, 1] < 0.008  # twice the frequency of the rare value


def test_a_field_without_vectors_has_no_share(batches):
    model = make()
    model.embedding.table.assign(np.zeros((26, 64)))
    assert not varying_shares(model, batches)[0, :3].any()


def test_scales_are_roots_of_the_shares(batches):
    model = make()
    shares = varying_shares(model, batches)
    model.adapt_scores(batches)
    for gamma, of_order in zip(gammas(model), shares, strict=True):
        np.testing.assert_allclose(gamma, np.sqrt(of_order)[:, None] * np.ones((4, 64)), rtol=1e-6)


def test_a_rare_value_does_not_take_all_attention(batches):
    inputs = {kind: np.concatenate([part[kind] for part, _ in batches]) for kind in batches[0][0]}
    rare = inputs["categorical"][:, 1] == 2

    def weights(model):
        found = model.forward(model.embedding(inputs), training=True)
        return np.stack([np.asarray(alpha)[rare, 1] for alpha in found.field_weights])

    extremes = []
    for seed in range(6):
        keras.utils.set_random_seed(seed)
        model = make()
        as_built = weights(model)
        model.adapt_scores(batches)
        assert (weights(model) < 0.8).all()
        extremes.append(as_built.max())
    assert max(extremes) > 0.95


def test_what_was_trained_or_frozen_keeps_its_scales(batches):
    trained = make()
    trained.aggregations[0].normalization.gamma.assign(np.full(256, 2.0))
    frozen = make()
    frozen.aggregations[0].trainable = False
    for model, scale in ((trained, 2.0), (frozen, 1.0)):
        model.adapt_scores(batches)
        first, second = gammas(model)
        assert (first == scale).all()
        assert (second[2] < 0.1).all()


def test_models_without_normalised_scores_need_no_records():
    def refuse():
        raise AssertionError("read")
        yield

    InterHAt(SCHEMA).adapt_scores(refuse())
