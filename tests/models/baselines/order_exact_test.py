import itertools
import math

import numpy as np
import pytest

from interhat_tf import Field, Schema
from interhat_tf.models import OrderExact
from tests.models.baselines.contract import ModelContract
from tests.numpy_reference import randomise


class TestOrderExact(ModelContract):
    name = "order_exact"
    arguments = {"order": 2, "embedding_dim": 4}
    penalties = {"embedding_l2": 0.1, "dense_l2": 0.01}
    changed = {**ModelContract.changed, "order": 3, "dense_l2": 0.01}
    statistics = 1

    def equation(self, parts):
        fields = parts.fields - parts.of("centering")["moving_mean"]  # (B, m, k * d)
        count = fields.shape[1]
        sums = []
        for i in (1, 2):
            of_order = fields[..., 4 * (i - 1) : 4 * i]  # (B, m, d)
            groups = itertools.combinations(range(count), i)
            sums.append(sum(of_order[:, group].prod(axis=1) for group in groups))
            sums[-1] /= math.sqrt(math.comb(count, i))
        return parts.logit(np.concatenate(sums, axis=1))

    def parameters(self, sizes):
        orders = 2 * sizes.d
        return sizes.n * orders + sizes.m * orders + orders + 1

    def test_there_are_no_more_orders_than_fields(self, schema):
        assert self.build(schema, order=9).order == 4

    def test_an_order_of_nothing_is_refused(self, schema):
        with pytest.raises(ValueError, match="order must be at least 1, got 0"):
            self.build(schema, order=0)


def test_by_hand():
    schema = Schema([Field(name, "numerical") for name in "abc"])
    model = OrderExact(schema, order=3, embedding_dim=1)
    model.embedding.numerical_table.assign(np.ones((3, 3)))
    model.centering.moving_mean.assign([[1, 0, 0], [0, 0, 0], [0, 0, 2]])  # of a, b, c
    model.logit.kernel.assign([[1.0], [2.0], [3.0]])
    model.logit.bias.assign([0.5])
    record = {"numerical": np.array([[1.0, 2.0, 5.0]])}
    # Of order 1: 0, 2, 5. Of order 2: 1, 2, 5. Of order 3: 1, 2, 3.
    z = [1 * 7 / 3**0.5, 2 * (2 + 5 + 10) / 3**0.5, 3 * 6]
    np.testing.assert_allclose(model.order_logits(record), [z], rtol=1e-5)
    np.testing.assert_allclose(model(record), [[0.5 + sum(z)]], rtol=1e-5)


def test_the_orders_logits_and_the_bias_add_up(schema, batch):
    model = randomise(OrderExact(schema, embedding_dim=4))
    orders = model.order_logits(batch)
    assert orders.shape == (16, 3)
    total = np.sum(orders, axis=1, keepdims=True) + model.logit.bias
    np.testing.assert_allclose(model(batch), total, rtol=1e-4, atol=1e-4)


def test_higher_orders_say_nothing_of_single_fields():
    """The mean of z_2 over all values of all fields but one is 0, whatever that one's is."""
    schema = Schema([Field(name, "categorical", 4) for name in "abc"])
    model = randomise(OrderExact(schema, order=2, embedding_dim=3))
    every = {"categorical": np.stack(np.indices((4, 4, 4)), -1).reshape(-1, 3)}
    for _ in range(120):
        model(every, training=True)  # the statistics settle
    pairs = model.order_logits(every)[:, 1].numpy().reshape(4, 4, 4)
    for others in ((0, 1), (0, 2), (1, 2)):
        np.testing.assert_allclose(pairs.mean(axis=others), 0, atol=1e-3)
    assert pairs.std() > 0.05
