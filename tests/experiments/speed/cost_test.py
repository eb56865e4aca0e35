import pytest
import tensorflow as tf

from experiments.speed.cost import cost
from interhat_tf import kernels

RECORDS = tf.TensorSpec((5, 3, 4))


def test_products_by_hand():
    @tf.function
    def function(records):
        rows = tf.reshape(records, (15, 4))
        wide = tf.matmul(rows, tf.ones((4, 6)))  # 15 * 6 sums of 4 products
        square = tf.matmul(wide, wide, transpose_a=True)  # 6 * 6 sums of 15
        return square, tf.matmul(records, records, transpose_b=True)  # 5 * 3 * 3 sums of 4

    found = cost(function, RECORDS, fields=3)
    assert found["flops"] == 2 * (15 * 6 * 4 + 6 * 6 * 15 + 5 * 3 * 3 * 4)
    # The last product writes numbers about pairs of the 3 fields.
    assert found["map_bytes"] == 4 * 5 * 3 * 3


def test_what_no_result_needs_is_not_computed():
    @tf.function
    def function(records):
        tf.matmul(records, records, transpose_b=True)
        return records * 2.0

    found = cost(function, RECORDS, fields=3)
    assert found["operations"] == 1 and found["flops"] == 0


def test_bytes_are_what_operations_read_and_write():
    @tf.function
    def function(records):
        return tf.reshape(tf.identity(records) * 2.0, (15, 4))

    # The number 2 is read as well.
    expected = {"operations": 1, "flops": 0, "bytes": 2 * 240 + 4, "map_bytes": 0}
    assert cost(function, RECORDS, fields=3) == expected


def test_look_up_and_update_count_what_they_touch():
    table = tf.Variable(tf.zeros((1000, 4)))

    @tf.function
    def function(ids):
        return tf.gather(table, ids)

    assert cost(function, tf.TensorSpec((7,), tf.int32), fields=3)["bytes"] == 2 * 7 * 4 * 4

    @tf.function
    def update(gradient):
        tf.raw_ops.ResourceApplyAdam(
            **{name: table.handle for name in ("var", "m", "v")},
            **dict.fromkeys(("beta1_power", "beta2_power", "lr", "beta1", "beta2"), 0.5),
            epsilon=1e-8,
            grad=gradient,
        )

    assert cost(update, tf.TensorSpec((1000, 4)), fields=3)["bytes"] == 7 * 4 * 1000 * 4


@pytest.mark.skipif(not kernels.LIBRARY.exists(), reason="not built")
def test_products_of_the_cpu_kernels():
    @tf.function
    def attend(query):  # two heads of width 2
        result = kernels.attention(query, query, query, num_heads=2, scale=1.0)
        return result, tf.gradients(result, query)

    products = 2 + 5  # forward, and with the maps computed again backward
    found = cost(attend, RECORDS, fields=3)
    assert found["flops"] == products * 2 * 5 * 2 * 3 * 3 * 2
    assert found["map_bytes"] == 0

    @tf.function
    def project_and_attend(inputs):  # as above
        weights = [tf.ones((4, 4))] * 3
        output = tf.ones((4, 6))
        result = kernels.self_attention(inputs, weights, None, output, 2, 1.0, relu=False)
        return result, tf.gradients(result, [inputs, *weights, output])

    maps = found["flops"] + 2 * 5 * 2 * 3 * 3 * 2  # head outputs are computed again as well
    projections = 3 + (4 + 3 + 3)  # forward; again, and gradients of weights and of inputs
    flops = maps + projections * 2 * 5 * 3 * 4 * 4 + (1 + 3) * 2 * 5 * 3 * 4 * 6
    assert cost(project_and_attend, RECORDS, fields=3)["flops"] == flops

    @tf.function
    def pool(features):  # two orders, projected to 6 units
        weights = [tf.ones((2, 4, 6)), tf.ones((2, 6)), tf.ones((2, 6))]
        results = kernels.hierarchy(features, *weights, relu=True)
        return results, tf.gradients(results, [features, *weights])

    projections = 1 + 4  # forward; twice again, and gradients of weights and of features
    assert cost(pool, RECORDS, fields=3)["flops"] == projections * 2 * 5 * 3 * 2 * 4 * 6

    @tf.function
    def pool_normalized(features):
        weights = [tf.ones((2, 4, 6)), tf.ones((2, 6)), tf.ones((2, 6))]
        options = {"relu": True, "training": True, "epsilon": 1e-5}
        normalization = [tf.ones((2, 12))] * 4
        found = kernels.normalized_hierarchy(features, *weights, normalization, **options)
        return found, tf.gradients([found.orders, found.weights, found.terms], features)

    projections = 1 + 3  # as above, without the second pooling
    assert cost(pool_normalized, RECORDS, fields=3)["flops"] == projections * 2 * 5 * 3 * 2 * 4 * 6


@pytest.mark.skipif(not kernels.LIBRARY.exists(), reason="not built")
@pytest.mark.parametrize(("averages", "variables"), [(0, 3), (1, 4)])
def test_bytes_of_a_step_of_a_table(averages, variables):
    table = tf.Variable(tf.zeros((1000, 4)))

    @tf.function
    def update(ids, values):
        gradient = tf.IndexedSlices(values, ids)
        kernels.table_adam(
            table, table, table, 0.1, gradient, 0.9, 0.9, 1e-8, 0.0, *[table] * averages
        )

    specs = tf.TensorSpec((7,), tf.int32), tf.TensorSpec((7, 4))
    # Variables are read and written; ids, their rows, the rate and the share are read.
    expected = 2 * variables * 4 * 4000 + 4 * (7 + 7 * 4 + 2)
    assert cost(update, *specs, fields=3)["bytes"] == expected


@pytest.mark.skipif(not kernels.LIBRARY.exists(), reason="not built")
def test_products_of_a_recurrence():
    @tf.function
    def read_in_time(values):  # states of 6 units
        weights = [tf.ones((5, 3)), tf.ones((4, 18)), tf.ones((6, 18)), tf.ones(18)]
        states = kernels.augru(values, *weights)
        return states, tf.gradients(states, [values, *weights])

    products = 1 + 3  # forward; again, and gradients of weights and of values and states
    assert cost(read_in_time, RECORDS, fields=3)["flops"] == products * 2 * 5 * 3 * (4 + 6) * 18


@pytest.mark.skipif(not kernels.LIBRARY.exists(), reason="not built")
@pytest.mark.parametrize("weighted", [True, False])
def test_products_of_pairs(weighted):
    @tf.function
    def multiply_pairs(fields):
        weights = [tf.ones((5, 3))] if weighted else []
        products = kernels.inner_products(fields, *weights)
        return products, tf.gradients(products, [fields, *weights])

    products = 1 + 2 + weighted  # forward; of both of a pair, and of their weights
    assert cost(multiply_pairs, RECORDS, fields=3)["flops"] == products * 2 * 5 * 3 * 4


def test_a_loop_counts_as_one_round():
    @tf.function
    def inner(records):
        return tf.matmul(records, records, transpose_b=True)

    @tf.function
    def loop(records, rounds):
        product = tf.zeros((5, 3, 3))
        for _ in tf.range(rounds):
            product = inner(records)
        return product

    found = cost(loop, RECORDS, tf.TensorSpec((), tf.int32), fields=3)
    assert found["flops"] == cost(inner, RECORDS, fields=3)["flops"]


def test_called_functions_are_counted():
    @tf.function
    def inner(records):
        return tf.matmul(records, records, transpose_b=True)

    @tf.function
    def outer(records):
        return inner(records)

    assert cost(outer, RECORDS, fields=3) == cost(inner, RECORDS, fields=3)
