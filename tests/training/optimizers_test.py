import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.training.optimizers import Adam, LazyAdam

ROWS, DIM = 6, 3
# Row 0 stands three times in the first batch and rows 3 to 5 not at all; the second batch has
# only rows 3 and 4, so that rows 0 to 2 move by their decaying moments alone.
BATCHES = ([0, 0, 0, 1, 2, 2], [3, 3, 4], [0, 5, 5])
HYPERPARAMETERS = {"learning_rate": 1e-2, "beta_1": 0.9, "beta_2": 0.98, "epsilon": 1e-8}


def coefficients(ids):
    """The gradient that each place of the batch sends to its row."""
    return np.random.default_rng(len(ids)).normal(size=(len(ids), DIM)).astype("float32")


def first_table():
    return np.random.default_rng(7).normal(size=(ROWS, DIM)).astype("float32")


def tables_by_numpy():
    """Kingma and Ba's Adam on the dense gradient; yields the table after each step."""
    table, first, second = first_table().astype("float64"), 0.0, 0.0
    for step, ids in enumerate(BATCHES, start=1):
        gradient = np.zeros((ROWS, DIM))
        np.add.at(gradient, ids, coefficients(ids))
        first = 0.9 * first + 0.1 * gradient
        second = 0.98 * second + 0.02 * gradient**2
        unbiased = first / (1 - 0.9**step), second / (1 - 0.98**step)
        table = table - 1e-2 * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
        yield table


def lazy_tables_by_numpy():
    """The same on the rows of each batch alone; yields the table after each step."""
    table = first_table().astype("float64")
    first, second = np.zeros((ROWS, DIM)), np.zeros((ROWS, DIM))
    for step, ids in enumerate(BATCHES, start=1):
        gradient = np.zeros((ROWS, DIM))
        np.add.at(gradient, ids, coefficients(ids))
        rows = np.unique(ids)
        first[rows] = 0.9 * first[rows] + 0.1 * gradient[rows]
        second[rows] = 0.98 * second[rows] + 0.02 * gradient[rows] ** 2
        unbiased = first[rows] / (1 - 0.9**step), second[rows] / (1 - 0.98**step)
        table[rows] -= 1e-2 * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
        yield table.copy()


def tables_by(optimizer, look_up=tf.gather, **compilation):
    """Yields the table after each step of an optimizer, its gradient taken through `look_up`."""
    table = keras.Variable(first_table())
    optimizer.build([table])

    @tf.function(**compilation)
    def step(ids, coefficients):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(coefficients * look_up(table.value, ids))
        optimizer.apply_gradients([(tape.gradient(loss, table.value), table)])

    for ids in BATCHES:
        step(tf.constant(ids), coefficients(ids))
        yield table.numpy()


def gather_with_dense_gradient(table, ids):
    return tf.one_hot(ids, ROWS) @ table


def assert_same(steps, expected_steps):
    for table, expected in zip(steps, expected_steps, strict=True):
        np.testing.assert_allclose(table, expected, atol=2e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_repeated_ids_step_as_the_dense_gradient_does(jit_compile):
    steps = list(tables_by(Adam(**HYPERPARAMETERS), jit_compile=jit_compile))
    assert_same(steps, tables_by_numpy())
    assert_same(steps, tables_by(Adam(**HYPERPARAMETERS), gather_with_dense_gradient))


def test_equals_keras_on_dense_gradients():
    assert_same(
        tables_by(Adam(**HYPERPARAMETERS), gather_with_dense_gradient),
        tables_by(keras.optimizers.Adam(**HYPERPARAMETERS), gather_with_dense_gradient),
    )


@pytest.mark.xfail(reason="Keras sums squares of repeated rows, which is why our Adam exists")
def test_keras_adam_gets_repeated_ids_right():
    assert_same(tables_by(keras.optimizers.Adam(**HYPERPARAMETERS)), tables_by_numpy())


def test_rows_that_a_batch_does_not_hold_still_decay():
    first, second, _ = tables_by(Adam(**HYPERPARAMETERS))
    np.testing.assert_array_equal(first[3:], first_table()[3:])
    assert (np.abs(second[:3] - first[:3]) > 1e-3).all()


def test_clipping_sees_the_summed_gradient():
    clipped = tables_by(Adam(**HYPERPARAMETERS, global_clipnorm=0.1))
    assert_same(
        clipped,
        tables_by(Adam(**HYPERPARAMETERS, global_clipnorm=0.1), gather_with_dense_gradient),
    )


def test_configuration_round_trip():
    numbers = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.98, "epsilon": 1e-6}
    optimizer = Adam(**numbers, clipnorm=2.0, table_l2={"model/embedding/table": 0.1})
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(copy) is Adam
    assert copy.get_config() == optimizer.get_config()
    assert copy.table_l2 == {"model/embedding/table": 0.1}
    assert Adam().epsilon == 1e-8


@pytest.mark.parametrize("options", [{}, {"global_clipnorm": 0.1}, {"loss_scale_factor": 8.0}])
def test_a_penalty_of_a_table_is_that_of_its_gradient(options):
    def tables(look_up, strength, **arguments):
        """Yields the table after each step, with a penalty in the gradient where it has one."""
        table = keras.Variable(first_table(), name="table")
        optimizer = Adam(**HYPERPARAMETERS, **options, **arguments)
        optimizer.build([table])
        for ids in BATCHES:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(coefficients(ids) * look_up(table.value, ids))
                if strength:
                    loss += strength * tf.reduce_sum(table.value**2)
                loss = optimizer.scale_loss(loss)
            optimizer.apply([tape.gradient(loss, table.value)], [table])
            yield table.numpy()

    expected = list(tables(gather_with_dense_gradient, 0.1))
    assert np.abs(expected[-1] - list(tables(tf.gather, 0.0))[-1]).max() > 1e-3
    assert_same(tables(tf.gather, 0.0, table_l2={"table": 0.1}), expected)


def test_a_penalty_of_no_variable_is_refused():
    with pytest.raises(ValueError, match="table_l2 names no variable of the model: tabel"):
        Adam(table_l2={"tabel": 0.1}).build([keras.Variable(first_table(), name="table")])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_fit_takes_the_same_steps(jit_compile):
    """One `fit` step on a table whose ids repeat, against the dense step in NumPy."""
    ids = np.array([[0], [0], [0], [1]])
    table = keras.layers.Embedding(ROWS, DIM)
    model = keras.Sequential([table, keras.layers.Flatten()])
    model.build((None, 1))
    table.set_weights([first_table()])
    model.compile(
        Adam(**HYPERPARAMETERS),
        loss=lambda coefficients, rows: tf.reduce_sum(coefficients * rows, axis=-1),
        jit_compile=jit_compile,
    )
    model.fit(ids, coefficients(ids), batch_size=4, verbose=0)
    # Adam's first step is the sign of the summed gradient times the learning rate.
    gradient = np.zeros((ROWS, DIM))
    np.add.at(gradient, ids[:, 0], coefficients(ids))
    np.testing.assert_allclose(
        table.get_weights()[0], first_table() - 1e-2 * np.sign(gradient), atol=2e-6
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_lazily_only_the_rows_of_the_batch_move(jit_compile):
    steps = list(tables_by(LazyAdam(**HYPERPARAMETERS), jit_compile=jit_compile))
    assert_same(steps, lazy_tables_by_numpy())
    np.testing.assert_array_equal(steps[0][3:], first_table()[3:])
    np.testing.assert_array_equal(steps[1][:3], steps[0][:3])


def test_lazily_a_dense_gradient_is_adams():
    assert_same(
        tables_by(LazyAdam(**HYPERPARAMETERS), gather_with_dense_gradient), tables_by_numpy()
    )


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_lazy_is_exact_where_every_row_is_in_every_batch(jit_compile):
    schema = Schema([Field("a", "categorical", 2), Field("b", "categorical", 3)])
    rng = np.random.default_rng(0)
    ids = np.stack([np.tile([0, 1], 24), np.tile([0, 1, 2], 16)], axis=1)  # (48, 2)
    labels = rng.integers(2, size=48).astype("float32")
    weights = []
    for optimizer in (Adam, LazyAdam):
        keras.utils.set_random_seed(1)
        model = InterHAt(schema, embedding_dim=4, order=2)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        # A larger epsilon: Adam would make whole steps of the rounding of gradients that are zero.
        adam = optimizer(1e-2, epsilon=1e-4)
        model.compile(adam, loss=loss, jit_compile=jit_compile)
        model.fit({"categorical": ids}, labels, batch_size=12, epochs=2, verbose=0)
        weights.append(model.get_weights())
    for exact, lazy in zip(*weights, strict=True):
        np.testing.assert_allclose(lazy, exact, atol=1e-4)


def test_lazily_the_tables_are_never_read_whole():
    """A read of a table that is then written in place would be a copy in every step."""
    schema = Schema([Field("a", "categorical", 50), Field("b", "categorical", 30)])
    model = InterHAt(schema, embedding_dim=4, order=2)
    optimizer = LazyAdam()
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(ids):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model({"categorical": ids}, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    graph = step.get_concrete_function(tf.TensorSpec((8, 2), tf.int32)).graph
    whole = [op for op in graph.get_operations() if op.type == "ReadVariableOp"]
    assert whole and all(op.outputs[0].shape[:1] != [80] for op in whole)


def test_lazy_configuration():
    optimizer = LazyAdam(learning_rate=0.1, beta_1=0.8, beta_2=0.98, epsilon=1e-6)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(copy) is LazyAdam and copy.get_config() == optimizer.get_config()
    with pytest.raises(ValueError, match=r"weight_decay, which concern all rows; use Adam"):
        LazyAdam(weight_decay=1e-2, clipnorm=1.0)
