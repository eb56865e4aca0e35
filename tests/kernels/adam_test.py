import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Adam, kernels
from tests.kernels.reference import needs_kernels


def steps_of_adam(table, batches, l2, whole=False, **arguments):
    """Returns a table and its moments after a step for each batch of rows' gradients."""
    variable = keras.Variable(table)
    penalties = {} if whole else {variable.path: l2}
    optimizer = Adam(1e-2, beta_2=0.98, table_l2=penalties, **arguments)
    optimizer.build([variable])
    for ids, values in batches:
        gradient = tf.IndexedSlices(values, ids, tf.constant(table.shape, "int64"))
        if whole:
            gradient = tf.convert_to_tensor(gradient) + 2 * l2 * variable.value
        optimizer.apply([gradient], [variable])
    return [variable.numpy(), *(moment.numpy() for moment in optimizer.variables[2:])]


@needs_kernels
@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(7, 3), (5000, 12), (3000,), (40, 3, 2)], ids=str)
def test_table_adam_takes_the_steps_of_the_dense_one(rng, shape, l2):
    table = rng.normal(size=shape).astype("float32")
    batches = []
    for count in (200, 1, 0):  # ids stand several times in the first, and in the last is none
        ids = rng.integers(shape[0], size=count).astype("int32")
        batches.append((ids, rng.normal(size=(count, *shape[1:])).astype("float32")))
    found = steps_of_adam(table, batches, l2)
    for result, exact in zip(found, steps_of_adam(table, batches, l2, whole=True), strict=True):
        np.testing.assert_allclose(result, exact, rtol=1e-5, atol=1e-6)


@needs_kernels
@pytest.mark.parametrize("shape", [(7, 3), (5000, 12), (40, 3, 2)], ids=str)
def test_an_average_takes_in_the_table_after_the_step(rng, shape):
    arrays = [np.abs(rng.normal(size=shape)).astype("float32") for _ in range(4)]
    *alone, average = (tf.Variable(array) for array in arrays)
    together = [tf.Variable(array) for array in arrays[:3]]
    ids = tf.constant(rng.integers(shape[0], size=50).astype("int32"))
    gradient = tf.IndexedSlices(tf.constant(rng.normal(size=(50, *shape[1:])), "float32"), ids)
    rule = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8, "l2": 0.1}
    kernels.table_adam(*alone, 0.1, gradient, **rule)
    kernels.table_adam(*together, 0.1, gradient, **rule, average=average, share=0.2)
    for own, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(own, other)
    expected = 0.8 * arrays[3] + 0.2 * alone[0].numpy()
    np.testing.assert_allclose(average, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("switch", ["0", None], ids=["without kernels", "with them"])
@pytest.mark.parametrize("arguments", [{}, {"clipnorm": 0.1}, {"amsgrad": True}], ids=str)
def test_a_penalty_that_the_optimizer_adds(rng, monkeypatch, switch, arguments):
    if switch:
        monkeypatch.setenv(kernels.SWITCH, switch)
    table = rng.normal(size=(6, 3)).astype("float32")
    batches = [(np.array([1, 4, 1], "int32"), rng.normal(size=(3, 3)).astype("float32"))] * 2
    found = steps_of_adam(table, batches, 0.3, **arguments)
    expected = steps_of_adam(table, batches, 0.3, whole=True, **arguments)
    for result, exact in zip(found, expected, strict=True):
        np.testing.assert_allclose(result, exact, rtol=1e-5, atol=1e-6)


@needs_kernels
def test_an_update_that_does_not_fit_changes_nothing():
    table, first, second = (tf.Variable(tf.ones((4, 2))) for _ in range(3))

    def update(ids, values, rate=0.1, **how):
        gradient = tf.IndexedSlices(tf.constant(values), tf.constant(ids))
        rule = {"beta_1": 0.9, "beta_2": 0.9, "epsilon": 1e-8, "l2": 0.0}
        kernels.table_adam(table, first, second, rate, gradient, **rule, **how)

    with pytest.raises(tf.errors.InvalidArgumentError, match="id 4 is outside a table of 4 rows"):
        update([0, 4], [[1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="are no rows of 2 ids"):
        update([0, 1], [[1.0, 1.0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"rate must be a scalar, got \[1\]"):
        update([0], [[1.0, 1.0]], rate=tf.constant([0.1]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"share must be a scalar, got \[1\]"):
        update([0], [[1.0, 1.0]], average=tf.Variable(tf.ones((4, 2))), share=tf.constant([0.1]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have the same shape"):
        update([0], [[1.0, 1.0]], average=tf.Variable(tf.ones((4, 3))), share=0.1)
    for variable in (table, first, second):
        np.testing.assert_array_equal(variable, np.ones((4, 2)))


@needs_kernels
def test_a_value_that_was_read_before_the_update_stays(rng):
    """The operation writes in place; what somebody else holds must not change under them."""
    table, first, second = (tf.Variable(tf.ones((4, 2))) for _ in range(3))
    held = table.read_value()
    gradient = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([1]))
    kernels.table_adam(
        table, first, second, 0.1, gradient, beta_1=0.9, beta_2=0.9, epsilon=1e-8, l2=0.0
    )
    np.testing.assert_array_equal(held, np.ones((4, 2)))
    assert (table.numpy()[1] < 1).all()
