import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf.layers import ActivationUnit, FieldEmbedding
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import field_embedding, randomise, weights_of

KINDS = {"mixed": ((3, 1, 5), 2), "categorical": ((3, 1, 5), 0), "numerical": ((), 2)}


def make(kind, missing=False, **arguments):
    sizes, num_numerical = KINDS[kind]
    rng = np.random.default_rng(1)
    inputs = {}
    if sizes:
        inputs["categorical"] = rng.integers(0, sizes, (6, len(sizes)))
    if num_numerical:
        inputs["numerical"] = rng.normal(size=(6, num_numerical)).astype("float32")
        if missing:
            inputs["numerical"][[0, 2, 3], [0, 0, 1]] = np.nan
    arguments = {"embedding_dim": 4, "missing_numbers": missing, **arguments}
    layer = FieldEmbedding(sizes, num_numerical, **arguments)
    layer(inputs)
    return randomise(layer), inputs


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_numpy(kind, missing):
    layer, inputs = make(kind, missing)
    expected = field_embedding(inputs, weights_of(layer), layer.vocabulary_sizes)
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-6)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_follows_the_layer_contract(kind, missing):
    check_layer_contract(*make(kind, missing, embeddings_regularizer=keras.regularizers.L1(0.1)))


def test_a_missing_number_trains_its_own_vector():
    layer, inputs = make("numerical", missing=True)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(inputs))
    of_numbers, of_missing = tape.gradient(total, layer.trainable_variables)
    numbers = np.nansum(inputs["numerical"], axis=0)
    np.testing.assert_allclose(of_numbers, np.tile(numbers[:, None], 4), rtol=1e-5)
    np.testing.assert_array_equal(of_missing, np.tile([[2], [1]], 4))


def test_fields_with_equal_ids_do_not_share_rows():
    layer, _ = make("categorical")
    first, second, third = layer({"categorical": np.zeros((1, 3), int)})[0]
    assert not np.allclose(first, second)
    assert not np.allclose(second, third)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_takes_ids_of_any_integer_type(dtype):
    layer, inputs = make("categorical")
    ids = inputs["categorical"].astype(dtype)
    np.testing.assert_array_equal(layer({"categorical": ids}), layer(inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_regulariser_penalises_every_table(kind):
    layer, inputs = make(kind, embeddings_regularizer=keras.regularizers.L2(0.1))
    layer(inputs)
    expected = 0.1 * sum((w**2).sum() for w in weights_of(layer).values())
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)


@pytest.mark.parametrize(("sizes", "message"), [((), "at least one"), ((3, 0), "at least 1, got")])
def test_rejects_bad_arguments(sizes, message):
    with pytest.raises(ValueError, match=message):
        FieldEmbedding(sizes, embedding_dim=4)


LISTS = np.array([[3, 1, -1, 0], [-1, -1, -1, 2], [4, 4, 0, -1]])


def with_lists():
    arguments = {"embedding_dim": 4, "multivalued": [(3, "mean"), (1, "attention")]}
    layer = FieldEmbedding([6, 5, 3], 1, **arguments)
    inputs = {
        "categorical": np.array([[5], [0], [2]]),
        "numerical": np.ones((3, 1), "float32"),
        "multivalued": LISTS,
    }
    layer(inputs)
    return randomise(layer), inputs


def test_values_of_multivalued_fields_have_rows_behind_all_others():
    layer, inputs = with_lists()
    table = weights_of(layer)["table"]
    genres, tags = table[6:11], table[11:14]
    expected = [
        [(genres[3] + genres[1]) / 2, tags[0]],
        [np.zeros(4), tags[2]],
        [(2 * genres[4] + genres[0]) / 3, np.zeros(4)],
    ]
    np.testing.assert_allclose(layer(inputs)[:, 2:], expected, rtol=1e-6)
    without = {kind: array for kind, array in inputs.items() if kind != "multivalued"}
    others = field_embedding(without, weights_of(layer), [6])
    np.testing.assert_allclose(layer(inputs)[:, :2], others, rtol=1e-6)
    weights = layer.value_weights(inputs)
    expected = [[0.5, 0.5, 0, 1], [0, 0, 0, 1], [1 / 3] * 3 + [0]]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    check_layer_contract(layer, inputs)


def test_a_field_that_shares_reads_the_rows_of_the_other():
    """Fields of 6, 5 and 5 ids, of which the last, of two values, has the rows of the second."""
    multivalued = [(1, "mean"), (2, "mean"), (2, "sum")]
    layer = FieldEmbedding([6, 5, 5, 6], embedding_dim=4, multivalued=multivalued, shared=[(3, 0)])
    inputs = {"categorical": np.array([[5]]), "multivalued": np.array([[4, 2, -1, 5, 3]])}
    layer(inputs)
    randomise(layer)
    table = weights_of(layer)["table"]
    assert len(table) == layer.table_rows == 16
    expected = [table[5], table[6 + 4], table[11 + 2], table[5] + table[3]]
    np.testing.assert_allclose(layer(inputs)[0], expected, rtol=1e-6)
    vectors, present = layer.value_vectors(inputs)
    assert present.numpy().tolist() == [[True, True, False, True, True]]
    np.testing.assert_array_equal(vectors[0, 3:], table[[5, 3]])
    check_layer_contract(layer, inputs)


@pytest.mark.parametrize("dim", [3, 4])
def test_a_field_that_shares_has_the_frozen_vectors_of_the_other(dim):
    arguments = {"embedding_dim": 4, "multivalued": [(2, "sum"), (2, "sum")]}
    layer = FieldEmbedding([6, 5, 6], frozen=[(0, dim)], shared=[(2, 0)], **arguments)
    inputs = {"categorical": np.array([[2]]), "multivalued": np.array([[4, -1, 2, 3]])}
    layer(inputs)
    randomise(layer)
    frozen = layer.frozen_layers[0]
    frozen.known.assign([False, False, True, False, False, False])
    movie, genres, history = np.asarray(layer(inputs))[0]
    vector = frozen(np.array([2]), np.zeros((1, 4), "float32"))[0]
    np.testing.assert_allclose(movie, vector, rtol=1e-6)
    np.testing.assert_array_equal(genres, layer.table[6 + 4])
    np.testing.assert_allclose(history, vector + layer.table[3], rtol=1e-6)
    assert np.abs(layer.table[2] - movie).max() > 1e-3


def test_padding_reads_no_row_that_the_record_does_not():
    """An optimizer that moves the rows of a batch would move it; an empty list reads id 0."""
    layer, inputs = with_lists()
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(inputs) ** 2)
    gradient = tape.gradient(total, layer.table.value)
    read = set(np.asarray(gradient.indices).tolist())
    assert read == {5, 0, 2} | {6 + i for i in (3, 1, 0, 4)} | {11 + i for i in (0, 2)}


def test_a_layer_may_pool_by_the_field_that_is_shared():
    unit = ActivationUnit((3,), kernel_regularizer=keras.regularizers.L2(0.1))
    for pooling in ("target", unit):
        layer = FieldEmbedding(
            (4, 5, 5), embedding_dim=3, multivalued=[(2, pooling)], shared=[(2, 1)]
        )
        inputs = {"categorical": np.array([[3, 1], [0, 2]]), "multivalued": [[4, 1], [2, -1]]}
        inputs["multivalued"] = np.array(inputs["multivalued"])
        layer(inputs)
        randomise(layer)
        check_layer_contract(layer, inputs)
        vectors, present = layer.value_vectors(inputs)
        target = layer(inputs)[:, 1]
        expected, weights = layer.poolings[0](vectors, target, present)
        np.testing.assert_allclose(layer(inputs)[:, 2], expected, rtol=1e-6)
        np.testing.assert_allclose(layer.value_weights(inputs), weights, rtol=1e-6)
    assert layer.poolings[0] is unit


def test_a_number_moves_the_vector_in_its_own_place(rng):
    names = ("product", "periodic", "periodic", "product")
    layer = FieldEmbedding((), 4, embedding_dim=3, number_embeddings=names)
    numbers = rng.normal(size=(5, 4)).astype("float32")
    vectors = np.asarray(layer({"numerical": numbers}))
    for place in range(4):
        moved = numbers + np.eye(4, dtype="float32")[place]
        changed = (np.asarray(layer({"numerical": moved})) != vectors).any(axis=(0, 2))
        assert np.flatnonzero(changed).tolist() == [place]
