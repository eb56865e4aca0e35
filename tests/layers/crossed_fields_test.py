import keras
import numpy as np
import pytest

from interhat_tf import CrossedField, Field, Schema
from interhat_tf.click_counts import FOLDS
from interhat_tf.layers import CrossedFields, FieldEmbedding, Linear
from tests.layers.contract import check_layer_contract

SIZES = {"user": 40, "app": 300, "day": 8}
FIELDS = [*(Field(name, "categorical", size) for name, size in SIZES.items())]


def random_ids(rng, rows, low=0):
    return rng.integers(low, list(SIZES.values()), (rows, 3)).astype("int32")


def known(rng, names, rows):
    columns = [list(SIZES).index(name) for name in names]
    return np.unique(random_ids(rng, rows, low=1)[:, columns], axis=0)


def crossed_ids(crosses, ids):
    schema = Schema(FIELDS, crosses)
    return np.asarray(CrossedFields(schema)(ids))[:, len(FIELDS) :]


@pytest.mark.parametrize("names", [("user", "app"), ("app", "user"), ("day", "app", "user")])
def test_equals_a_dictionary(rng, names):
    combinations = known(rng, names, 4_000)
    numbers = {tuple(row): i for i, row in enumerate(combinations.tolist(), start=1)}
    # Some of the combinations that are looked up are known, in each of their fields.
    ids = np.concatenate([random_ids(rng, 4_000), random_ids(np.random.default_rng(0), 4_000, 1)])
    columns = [list(SIZES).index(name) for name in names]
    expected = [numbers.get(tuple(row), 0) for row in ids[:, columns].tolist()]
    (found,) = crossed_ids([CrossedField(names, combinations)], ids).T
    assert 0.02 < np.mean(found > 0) < 0.98
    assert {1, len(combinations)} <= set(found)
    np.testing.assert_array_equal(found, expected)


def test_combination_of_no_known_ones_is_out_of_vocabulary(rng):
    nothing = CrossedField(("user", "app", "day"), np.empty((0, 3), int))
    assert not crossed_ids([nothing], random_ids(rng, 50)).any()


def test_hash_spreads_combinations_evenly():
    user, app = (grid.ravel() for grid in np.meshgrid(np.arange(1, 40), np.arange(1, 300)))
    ids = np.stack([user, app, np.ones_like(user)], axis=1)
    size = 1_009
    (found,) = crossed_ids([CrossedField(("user", "app"), hash_size=size)], ids).T
    assert found.min() == 1
    assert found.max() == size
    # As many as random numbers would leave at a place, whose counts have this variance.
    assert np.bincount(found, minlength=size + 1)[1:].var() < 1.5 * len(ids) / size


def test_hash_of_a_value_out_of_vocabulary_is_out_of_vocabulary(rng):
    ids = random_ids(rng, 500)
    (found,) = crossed_ids([CrossedField(("app", "day"), hash_size=3)], ids).T
    np.testing.assert_array_equal(found == 0, (ids[:, 1:] == 0).any(axis=1))


@pytest.mark.parametrize("names", [("user",), ("day", "app"), ("day", "app", "user")])
def test_click_counts_equal_a_dictionary(rng, names):
    combinations = known(rng, names, 300)
    counts = rng.integers(0, 9, (len(combinations), FOLDS + 1, 2))
    cross = CrossedField(names, combinations, counts=counts)
    numbers = {tuple(row): i for i, row in enumerate(cross.combinations.tolist())}
    ids, folds = random_ids(rng, 2_000), rng.integers(0, FOLDS, 2_000)
    columns = [list(SIZES).index(name) for name in names]
    found = [numbers.get(tuple(row)) for row in ids[:, columns].tolist()]
    layer = CrossedFields(Schema(FIELDS, [cross]))
    for of_rows, given in ((folds, folds), (np.full(2_000, FOLDS), None)):
        expected = [
            0 if number is None else cross.count_ids()[number, fold]
            for number, fold in zip(found, of_rows, strict=True)
        ]
        np.testing.assert_array_equal(layer(ids, given)[:, len(FIELDS)], expected)
    assert None in found
    assert len(set(found)) > 3


def test_keeps_the_fields_own_ids_in_front(rng):
    ids = random_ids(rng, 9)
    crosses = [
        CrossedField(("user", "app"), known(rng, ("user", "app"), 99)),
        CrossedField(("app", "day"), hash_size=3),
    ]
    found = np.asarray(CrossedFields(Schema(FIELDS, crosses))(ids.astype("int64")))
    assert found.shape == (9, 5)
    np.testing.assert_array_equal(found[:, :3], ids)


def test_follows_the_layer_contract(rng):
    crosses = [CrossedField(("user", "app"), known(rng, ("user", "app"), 99))]
    layer = CrossedFields(Schema(FIELDS, crosses))
    ids = random_ids(rng, 9)
    check_layer_contract(layer, ids)
    assert not layer.weights


@pytest.mark.parametrize("kind", [FieldEmbedding, Linear])
def test_tables_have_rows_for_crosses(rng, kind):
    schema = Schema(FIELDS, [CrossedField(("user", "app"), known(rng, ("user", "app"), 99))])
    options = {"embedding_dim": 4} if kind is FieldEmbedding else {}
    crossing = CrossedFields(schema)
    layer = kind(schema.vocabulary_sizes, 1, crossing=crossing, **options)
    plain = kind(schema.vocabulary_sizes, 1, **options)
    inputs = {"categorical": random_ids(rng, 9), "numerical": np.ones((9, 1), "float32")}
    crossed = {**inputs, "categorical": np.asarray(crossing(inputs["categorical"]))}
    layer(inputs), plain(crossed)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(inputs), plain(crossed))
    check_layer_contract(layer, inputs)
    assert keras.tree.flatten(layer.get_config()) != keras.tree.flatten(plain.get_config())
