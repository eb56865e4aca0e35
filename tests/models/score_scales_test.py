import keras
import numpy as np
import pytest

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.models.score_scales import score_scales

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


def whole(batches):
    """Returns all records of the batches in one."""
    return {kind: np.concatenate([part[kind] for part, _ in batches]) for kind in batches[0][0]}


def test_scales_are_those_of_the_kurtosis_of_all_records(batches):
    model = make()
    model.embedding.table.assign(np.random.default_rng(0).normal(size=(26, 64)))
    found = model.forward(model.embedding(whole(batches)))
    for of_order, features in zip(score_scales(model, batches), found.features, strict=True):
        varying = np.delete(np.asarray(features, "float64"), 2, axis=1)
        fourth = ((varying - varying.mean(axis=0)) ** 4).mean(axis=0)  # (3, d)
        of_numbers = fourth / varying.var(axis=0) ** 2  # (3, d)
        expected = np.minimum(1, np.sqrt(3 / of_numbers.mean(axis=-1)))
        np.testing.assert_allclose(np.delete(of_order, 2), expected, rtol=1e-4)


def test_scales_are_of_how_rare_a_value_is(batches):
    first, _ = score_scales(make(), batches)
    # Of one in 500, of a constant in 2,000 records, and of a normal distribution.
    expected = [1, np.sqrt(3 / 500), np.sqrt(3 / ROWS), 1]
    np.testing.assert_allclose(first, expected, rtol=0.1)


def test_a_field_without_vectors_counts_as_constant(batches):
    model = make()
    model.embedding.table.assign(np.zeros((26, 64)))
    np.testing.assert_allclose(score_scales(model, batches)[0, :3], np.sqrt(3 / ROWS))


def test_adapting_gives_each_field_its_scale_in_all_dimensions(batches):
    model = make()
    scales = score_scales(model, batches)
    model.adapt_scores(batches)
    for gamma, of_order in zip(gammas(model), scales, strict=True):
        np.testing.assert_allclose(gamma, of_order[:, None] * np.ones((4, 64)), rtol=1e-6)


def test_a_rare_value_does_not_take_all_attention(batches):
    inputs = whole(batches)
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
        assert (second[1] < 0.2).all()


def test_records_that_say_nothing_are_refused(batches):
    with pytest.raises(ValueError, match="at least one training record"):
        make().adapt_scores([])
    with pytest.raises(ValueError, match=r"adapt_numbers\(batches\) before"):
        make(numerical_embedding="buckets").adapt_scores(batches)


def test_models_without_normalised_scores_need_no_records():
    def refuse():
        raise AssertionError("read")
        yield

    InterHAt(SCHEMA).adapt_scores(refuse())


def test_fields_of_a_planted_rule_keep_scales_of_1(rule_data):
    model = InterHAt.from_preset("tuned", rule_data.schema, rows=rule_data.num_rows("train"))
    scales = score_scales(model, rule_data.evaluation_batches("train", 1024))
    np.testing.assert_array_equal(scales, np.ones((2, 4)))
