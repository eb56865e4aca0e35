import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import kernels
from tests.kernels.reference import attention_by_tensorflow, needs_kernels, output_and_gradients

pytestmark = needs_kernels
SHAPES = [  # B, m, h, d_K: less and more than a vector of records, fields and widths of all kinds
    (1, 1, 1, 1),
    (5, 3, 2, 1),
    (33, 7, 3, 5),
    (40, 36, 12, 1),
    (19, 11, 3, 1),
    (17, 11, 2, 30),
    (16, 23, 12, 3),
]


@pytest.mark.parametrize("spread", [1.0, 30.0], ids=["even weights", "weights of 0 and 1"])
@pytest.mark.parametrize("shared", [False, True], ids=["keys of heads", "shared keys"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_attention_and_its_gradient(rng, shape, shared, spread):
    batch, fields, num_heads, width = shape
    whole, of_keys = num_heads * width, width if shared else num_heads * width
    query, key, value, gradient = (
        tf.constant(rng.normal(size=(batch, fields, size)) * times, "float32")
        for size, times in ((whole, spread), (of_keys, 1), (of_keys, 1), (whole, 1))
    )
    arguments = {"num_heads": num_heads, "scale": width**-0.5}
    found = output_and_gradients(
        lambda *inputs: kernels.attention(*inputs, **arguments), [query, key, value], gradient
    )
    expected = output_and_gradients(
        lambda *inputs: attention_by_tensorflow(*inputs, **arguments),
        [tf.cast(x, "float64") for x in (query, key, value)],
        tf.cast(gradient, "float64"),
    )
    for result, exact in zip(found, expected, strict=True):
        scale = max(np.abs(exact).max(), 1)
        np.testing.assert_allclose(result, exact, atol=2e-6 * spread**0.5 * scale)


def test_weights_that_underflow_are_zero_and_nothing_is_hidden():
    query = tf.constant([[[1e4], [-1e4]]])
    output = kernels.attention(query, query, tf.constant([[[1.0], [5.0]]]), 1, 1.0)
    np.testing.assert_array_equal(output, [[[1.0], [5.0]]])
    not_a_number = tf.constant([[[np.nan], [1.0]]])
    assert np.isnan(kernels.attention(not_a_number, query, query, 1, 1.0)[0, 0, 0])
    assert np.isnan(kernels.attention(query, query, not_a_number, 1, 1.0)).all()


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7FC00001, 0x7FFFFFFF, 0xFFC12345, 0x7F800001])
@pytest.mark.parametrize("fields", [1, 5, 17])
@pytest.mark.parametrize("heads", [2, 4])
def test_what_is_not_a_number_stays_so_whatever_its_bits(rng, bits, fields, heads):
    """Powers of 2 are made of bits, and there are 2^24 ways of being no number."""
    inputs = rng.normal(size=(3, 20, fields, 4)).astype("float32")
    wrong = np.array(bits, "uint32").view("float32")
    for place in range(2):  # queries, keys
        query, key, value = inputs.copy()
        (query, key)[place][7, fields // 2] = wrong
        output = kernels.attention(query, key, value, heads, 0.5).numpy()
        inputs_of_tensorflow = map(tf.constant, (query, key, value))
        expected = attention_by_tensorflow(*inputs_of_tensorflow, heads, 0.5).numpy()
        np.testing.assert_array_equal(np.isnan(output), np.isnan(expected))
        assert np.isnan(output[7]).any() and not np.isnan(output[:7]).any()
        weights = [np.eye(4, dtype="float32")] * 3
        output = kernels.self_attention(key, weights, None, None, 2, 0.5, relu=False).numpy()
        assert np.isnan(output[7]).all() == (place == 1)


def test_an_empty_batch_has_an_empty_result():
    nothing = tf.zeros((0, 3, 4))
    found = output_and_gradients(
        lambda *inputs: kernels.attention(*inputs, 2, 1.0), [nothing] * 3, nothing
    )
    assert all(result.shape == (0, 3, 4) for result in found)
    weights = [tf.ones((4, 6))] * 3
    output, *gradients = output_and_gradients(
        lambda x, *weights: kernels.self_attention(x, weights, None, None, 2, 1.0, relu=False),
        [nothing, *weights],
        tf.zeros((0, 3, 6)),
    )
    assert output.shape == (0, 3, 6) and gradients[0].shape == nothing.shape
    np.testing.assert_array_equal(gradients[1:], np.zeros((3, 4, 6)))


@pytest.mark.parametrize(
    "shapes, message",
    [
        (((2, 3), (2, 3), (2, 3)), r"query must be \(B, m, 2 \* d_K\)"),
        (((2, 3, 5), (2, 3, 5), (2, 3, 5)), r"query must be \(B, m, 2 \* d_K\)"),
        (((2, 3, 4), (2, 4, 4), (2, 4, 4)), "key and value must both be"),
        (((2, 3, 4), (2, 3, 4), (2, 3, 2)), "key and value must both be"),
    ],
)
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        kernels.attention(*map(tf.zeros, shapes), 2, 1.0)
