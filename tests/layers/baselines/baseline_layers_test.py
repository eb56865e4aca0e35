"""The baselines' layers against loops over their papers' equations and against worked numbers."""

import keras
import numpy as np
import pytest

from interhat_tf import layers
from tests.layers import reference
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import randomise, relu, weights_of

FIELDS = np.random.default_rng(1).normal(size=(6, 5, 4)).astype("float32")
FLAT = FIELDS.reshape(6, 20)
AWARE = np.random.default_rng(2).normal(size=(6, 5, 5 * 3)).astype("float32")
SIZES = (3, 1, 5)
RECORDS = {
    "categorical": np.random.default_rng(3).integers(0, SIZES, (6, 3)),
    "numerical": FIELDS[:, 0, :2],
}
CIN = {"feature_maps": (3, 2)}

# Layer, inputs, and the same computed by loops over the layer's weights w.
CASES = {
    "linear": (
        lambda **k: layers.Linear(SIZES, 2, **k),
        RECORDS,
        lambda x, w: reference.first_order(x, w, SIZES),
    ),
    "linear_without_bias": (
        lambda **k: layers.Linear(SIZES, 2, use_bias=False, **k),
        RECORDS,
        lambda x, w: reference.first_order(x, w, SIZES),
    ),
    "factorization_machine": (
        layers.FactorizationMachine,
        FIELDS,
        lambda x, w: reference.factorization_machine(x),
    ),
    "mlp": (lambda **k: layers.MLP((7, 3), **k), FLAT, lambda x, w: reference.mlp(x, w, 2)),
    "mlp_of_no_layers": (lambda **k: layers.MLP((), **k), FLAT, lambda x, w: x),
    "cross_network": (
        lambda **k: layers.CrossNetwork(3, **k),
        FLAT,
        lambda x, w: reference.cross_network(x, w, 3),
    ),
    "inner_product": (layers.InnerProduct, FIELDS, lambda x, w: reference.inner_product(x)),
    "outer_product": (layers.OuterProduct, FIELDS, lambda x, w: reference.outer_product(x)),
    "elementwise_product": (
        layers.ElementwiseProduct,
        FIELDS,
        lambda x, w: reference.elementwise_product(x),
    ),
    "compressed_interaction_network": (
        lambda **k: layers.CompressedInteractionNetwork(**CIN, **k),
        FIELDS,
        lambda x, w: reference.compressed_interaction_network(x, w, (3, 2)),
    ),
    "compressed_interaction_network_relu": (
        lambda **k: layers.CompressedInteractionNetwork(**CIN, activation="relu", **k),
        FIELDS,
        lambda x, w: reference.compressed_interaction_network(x, w, (3, 2), relu),
    ),
    "interacting_layer": (
        lambda **k: layers.InteractingLayer(2, 3, **k),
        FIELDS,
        lambda x, w: reference.interacting_layer(x, w, 2),
    ),
    "field_aware_factorization_machine": (
        layers.FieldAwareFactorizationMachine,
        AWARE,
        lambda x, w: reference.field_aware_factorization_machine(x),
    ),
}
every_layer = pytest.mark.parametrize("name", CASES)


def make(name, **arguments):
    layer_class, inputs, loops = CASES[name]
    layer = layer_class(**arguments)
    layer(inputs)
    return randomise(layer), inputs, loops


@every_layer
def test_equals_loops_over_the_equation(name):
    layer, inputs, loops = make(name)
    double = keras.tree.map_structure(
        lambda x: x if x.dtype.kind == "i" else x.astype("float64"), inputs
    )
    expected = loops(double, weights_of(layer))
    assert layer(inputs).shape == expected.shape
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-4, atol=1e-4)
    assert np.std(expected) > 0.01, "constant outputs prove nothing"


@every_layer
def test_follows_the_layer_contract(name):
    check_layer_contract(*make(name)[:2])


@pytest.mark.parametrize(
    ("name", "argument", "penalised"),
    [
        ("linear", "weights_regularizer", lambda path: path != "bias"),
        ("mlp", "kernel_regularizer", lambda path: True),
        ("cross_network", "kernel_regularizer", lambda path: True),
        ("compressed_interaction_network", "kernel_regularizer", lambda path: True),
        ("interacting_layer", "kernel_regularizer", lambda path: True),
    ],
)
def test_regulariser_is_kept_and_penalises_its_weights(name, argument, penalised):
    layer, inputs, _ = make(name, **{argument: keras.regularizers.L2(0.1)})
    layer(inputs)
    expected = 0.1 * sum((w**2).sum() for path, w in weights_of(layer).items() if penalised(path))
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)
    check_layer_contract(layer, inputs)


# Numbers worked by hand.


def test_linear_by_hand():
    layer = layers.Linear((2, 3), 1)
    layer.build()
    table = np.array([[1.0], [2.0], [10.0], [20.0], [30.0]])
    layer.embedding.set_weights([table, np.array([[100.0]])])
    layer.bias.assign([0.5])
    records = {"categorical": np.array([[1, 2], [0, 0]]), "numerical": np.array([[0.0], [3.0]])}
    np.testing.assert_array_equal(layer(records), [[32.5], [311.5]])


def test_linear_starts_at_zero():
    np.testing.assert_array_equal(layers.Linear(SIZES, 2)(RECORDS), np.zeros((6, 1)))


def test_factorization_machine_by_hand():
    fields = np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    # <1,2> = 3 + 8, <1,3> = 5 + 12, <2,3> = 15 + 24.
    np.testing.assert_array_equal(layers.FactorizationMachine()(fields), [[11 + 17 + 39]])


def test_products_by_hand():
    fields = np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    np.testing.assert_array_equal(layers.InnerProduct()(fields), [[11, 17, 39]])
    # The sum of the fields is (9, 12).
    np.testing.assert_array_equal(layers.OuterProduct()(fields), [[81, 108, 108, 144]])
    np.testing.assert_array_equal(
        layers.ElementwiseProduct()(fields), [[[3, 8], [5, 12], [15, 24]]]
    )


def test_crosses_by_hand():
    vector, cross = np.array([[1.0, 2.0]]), layers.CrossNetwork(1)
    cross.build((None, 2))
    cross.set_weights([np.array([[10.0], [1.0]]), np.array([0.5, 0.25])])
    # x^T w = 12; 12 x + b + x.
    np.testing.assert_array_equal(cross(vector), [[13.5, 26.25]])


def test_field_aware_vectors_of_a_field_for_itself_are_not_used():
    vectors = AWARE.reshape(6, 5, 5, 3).copy()
    layer = layers.FieldAwareFactorizationMachine()
    before = layer(AWARE)
    vectors[:, range(5), range(5)] = 99.0
    np.testing.assert_array_equal(layer(vectors.reshape(6, 5, 15)), before)
    vectors[:, 0, 1] = 99.0
    assert not np.allclose(layer(vectors.reshape(6, 5, 15)), before)


# What depends on training.


def test_mlp_normalises_with_batch_statistics_in_training_and_moving_ones_otherwise():
    layer = layers.MLP((7, 3), batch_norm=True)
    layer(FLAT)
    weights = weights_of(layer)
    for path, values in weights.items():
        rng = np.random.default_rng(len(path))
        values[...] = rng.uniform(0.5, 1.5, values.shape)  # Variances are positive.
        if "kernel" in path:
            values[...] -= 1
    layer.set_weights([weights[w.path.removeprefix(f"{layer.name}/")] for w in layer.weights])
    expected = reference.mlp(FLAT.astype("float64"), weights, 2)
    np.testing.assert_allclose(layer(FLAT), expected, rtol=1e-4, atol=1e-5)
    check_layer_contract(layer, FLAT)

    # In training, shifting and scaling all inputs of the normalisation changes nothing.
    first = layer.dense[0]
    before = layer(FLAT, training=True)
    first.kernel.assign(3 * first.kernel)
    first.bias.assign(3 * first.bias + 7)
    np.testing.assert_allclose(layer(FLAT, training=True), before, rtol=1e-3, atol=1e-3)
    assert not np.allclose(layer(FLAT), expected, atol=1e-2)


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [(layers.MLP((50,), dropout=0.5), FLAT), (layers.InteractingLayer(2, 3, dropout=0.5), FIELDS)],
    ids=["mlp", "interacting_layer"],
)
def test_dropout_acts_in_training_only(layer, inputs):
    np.testing.assert_array_equal(layer(inputs), layer(inputs))
    assert not np.allclose(layer(inputs, training=True), layer(inputs, training=True))
    assert type(layer).from_config(layer.get_config()).dropout == 0.5


@pytest.mark.parametrize("name", ["factorization_machine", "field_aware_factorization_machine"])
def test_a_float32_layer_sums_half_precision_fields_exactly(name):
    layer_class, inputs, _ = CASES[name]
    half = keras.ops.cast(inputs + 30, "bfloat16")
    exact = layer_class()(keras.ops.cast(half, "float32"))
    np.testing.assert_array_equal(layer_class(dtype="float32")(half), exact)
