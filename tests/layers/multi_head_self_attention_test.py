import keras
import numpy as np
import pytest

from interhat_tf.layers import MultiHeadSelfAttention
from tests.layers.contract import check_layer_contract
from tests.numpy_reference import linear, randomise, relu, self_attention, weights_of

PAPER = {}
RELEASED = {"activation": "relu", "use_bias": True, "residual": True, "layer_norm": True}


@pytest.fixture
def fields(rng):
    return rng.normal(size=(6, 5, 4)).astype("float32")


def make(fields, num_heads=2, key_dim=3, **arguments):
    layer = MultiHeadSelfAttention(num_heads, key_dim, **arguments)
    layer(fields)
    return randomise(layer)


@pytest.mark.parametrize("key_dim", [3, 4, 7])
@pytest.mark.parametrize("num_heads", [1, 2, 3])
@pytest.mark.parametrize(
    "variant",
    [
        PAPER,
        RELEASED,
        {"activation": "relu"},
        {"use_bias": True},
        {"residual": True},
        {"layer_norm": True},
    ],
    ids=lambda variant: "+".join(variant) or "paper",
)
def test_equals_numpy(fields, num_heads, key_dim, variant):
    layer = make(fields, num_heads, key_dim, **variant)
    output, attention = layer(fields, return_attention=True)
    expected_output, expected_attention = self_attention(
        fields,
        weights_of(layer),
        num_heads,
        activation=relu if variant.get("activation") else linear,
        residual=variant.get("residual", False),
    )
    np.testing.assert_allclose(output, expected_output, atol=1e-5)
    np.testing.assert_allclose(attention, expected_attention, atol=1e-6)
    np.testing.assert_allclose(layer(fields), expected_output, atol=1e-5)


def test_folded_heads_in_bfloat16(fields):
    exact, half = (
        MultiHeadSelfAttention(2, 7, dtype=dtype) for dtype in ("float32", "mixed_bfloat16")
    )
    expected = exact(fields)
    half.build(fields.shape)
    half.set_weights(exact.get_weights())
    output = half(fields)
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    np.testing.assert_allclose(keras.ops.cast(output, "float32"), expected, atol=0.05)


@pytest.mark.parametrize("return_attention", [False, True])
@pytest.mark.parametrize("variant", [PAPER, RELEASED], ids=["paper", "released"])
def test_follows_the_layer_contract(fields, variant, return_attention):
    layer = make(fields, kernel_regularizer="l2", **variant)
    check_layer_contract(layer, fields, return_attention=return_attention)


def test_two_heads_are_not_one_wide_head(fields):
    """Splitting mixed-up axes would give weights that look right; the weights are the same here."""
    two = make(fields, num_heads=2, key_dim=3)
    one = make(fields, num_heads=1, key_dim=6)
    one.set_weights(two.get_weights())
    assert np.abs(two(fields) - one(fields)).max() > 1e-2


def test_each_head_depends_on_its_own_slice_of_the_weights(fields):
    layer = make(fields, num_heads=2, key_dim=3)
    _, before = layer(fields, return_attention=True)
    kernel = np.array(layer.query.kernel)
    kernel[:, 3:] += 1.0
    layer.query.kernel.assign(kernel)
    _, after = layer(fields, return_attention=True)
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert not np.allclose(before[:, 1], after[:, 1])


def test_attention_rows_sum_to_one(fields):
    _, attention = make(fields)(fields, return_attention=True)
    np.testing.assert_allclose(np.sum(attention, axis=-1), 1, rtol=1e-6)


def test_permuting_the_fields_permutes_output_and_attention(fields, rng):
    layer, order = make(fields, **RELEASED), rng.permutation(5)
    output, attention = map(np.asarray, layer(fields, return_attention=True))
    permuted, permuted_attention = layer(fields[:, order], return_attention=True)
    np.testing.assert_allclose(permuted, output[:, order], atol=1e-5)
    np.testing.assert_allclose(permuted_attention, attention[:, :, order][..., order], atol=1e-6)


def test_regulariser_penalises_projections_but_not_the_layer_norm(fields):
    layer = make(fields, kernel_regularizer=keras.regularizers.L2(0.1), **RELEASED)
    expected = 0.1 * sum(
        (w**2).sum() for path, w in weights_of(layer).items() if "normalization" not in path
    )
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-5)


def test_dropout_acts_in_training_and_leaves_the_reported_weights(fields):
    layer = make(fields, dropout=0.5)
    output, attention = layer(fields, training=False, return_attention=True)
    dropped, reported = layer(fields, training=True, return_attention=True)
    assert not np.allclose(output, dropped)
    np.testing.assert_array_equal(reported, attention)


@pytest.mark.parametrize(("num_heads", "key_dim"), [(0, 3), (2, 0), (-1, 3)])
def test_rejects_bad_arguments(num_heads, key_dim):
    with pytest.raises(ValueError, match=f"got {num_heads} and {key_dim}"):
        MultiHeadSelfAttention(num_heads, key_dim)
