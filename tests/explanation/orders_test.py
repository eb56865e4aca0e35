import itertools

import numpy as np
import pytest

from interhat_tf import Field, Schema
from interhat_tf.explanation.orders import order_shares
from tests.explanation.made import MadeModel


def numbers(values):
    """Records of one number a field."""
    return {"numerical": np.array(values, "float32")}


def model_of(fields, logit):
    return MadeModel(Schema([Field(f"f{i}", "numerical") for i in range(fields)]), logit)


SIGNS = numbers(list(itertools.product((-1, 1), repeat=4)))
ZEROS = numbers([[0, 0, 0, 0]])  # the mean of the signs: donors at which no product is left


@pytest.mark.parametrize(
    "logit, shares",
    [
        (lambda a, b, c, d: 1 + a - 2 * b + 0.5 * c - d, (1, 0, 0)),
        (lambda a, b, c, d: a * b, (0, 1, 0)),
        (lambda a, b, c, d: 3 - 2 * b * c * d, (0, 0, 1)),
        (lambda a, b, c, d: 3 * a + 4 * b * c, (9 / 25, 16 / 25, 0)),
        (lambda a, b, c, d: a + 2 * a * b + 2 * b * c * d, (1 / 9, 4 / 9, 4 / 9)),
    ],
    ids=["sum", "parity", "triple", "orders 1 and 2", "all orders"],
)
def test_a_planted_order_has_its_share(logit, shares):
    found = order_shares(model_of(4, logit), SIGNS, ZEROS)
    np.testing.assert_allclose(found, np.tile(shares, (16, 1)), atol=1e-6)


def test_centred_donors_in_place_of_their_mean():
    """What is left of the other orders is the mean of the donors' draws."""
    background = numbers(list(itertools.product((-0.5, 0.5), repeat=4)))
    model = model_of(4, lambda a, b, c, d: a * b)
    few, many = (order_shares(model, SIGNS, background, donors=n)[:, 1] for n in (4, 1_000))
    assert many.min() > 0.99 and many.mean() > few.mean()


def test_two_values_a_field_leave_one_donor():
    """A donor that must differ is -x: it is not centred, and parity is not of order 2 alone."""
    found = order_shares(model_of(4, lambda a, b, c, d: a * b), SIGNS, SIGNS)
    np.testing.assert_allclose(found, np.tile([1 / 3, 2 / 3, 0], (16, 1)), atol=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_the_definition(rng, order):
    table = rng.normal(size=(2,) * 4)
    schema = Schema([Field(f"f{i}", "categorical", 2) for i in range(4)])
    model = MadeModel(schema, lambda *columns: table[columns])
    every = np.array(list(itertools.product((0, 1), repeat=4)))  # each has one donor, 1 - x
    found = order_shares(model, {"categorical": every}, {"categorical": every}, order)
    for record, x in enumerate(every):
        sums = np.zeros(order)
        for size in range(1, order + 1):
            for group in itertools.combinations(range(4), size):
                together = 0
                for part_size in range(size + 1):
                    for part in itertools.combinations(group, part_size):
                        kept = np.isin(np.arange(4), part)
                        sign = (-1) ** (size - part_size)
                        together += sign * table[tuple(np.where(kept, x, 1 - x))]
                sums[size - 1] += together**2
        np.testing.assert_allclose(found[record], sums / sums.sum(), rtol=1e-6)


def test_donors_differ_in_every_field_and_follow_the_background(rng):
    schema = Schema([Field("app", "categorical", 9), Field("day", "categorical", 9)])
    rows = []
    model = MadeModel(schema, lambda app, day: rows.append(np.stack([app, day], 1)) or app * day)
    x = {"categorical": np.array([[4, 7]])}
    background = {"categorical": np.array([[1, 7], [4, 2], [1, 7], [2, 8], [1, 2], [4, 2]])}
    order_shares(model, x, background, order=1, donors=4_000)
    rows = np.concatenate(rows)
    assert len(rows) == 3 * 4_000 + 1
    own = rows == (4, 7)
    sets, counts = np.unique(own, axis=0, return_counts=True)
    assert dict(zip(map(tuple, sets.tolist()), counts.tolist(), strict=True)) == {
        (False, False): 4_000,
        (False, True): 4_000,
        (True, False): 4_000,
        (True, True): 1,
    }
    for column, shares in ((0, {1: 3 / 4, 2: 1 / 4}), (1, {2: 3 / 4, 8: 1 / 4})):
        values, counts = np.unique(rows[~own[:, column], column], return_counts=True)
        found = dict(zip(values.tolist(), counts / counts.sum(), strict=True))
        assert found == pytest.approx(shares, abs=0.02)
    assert abs(np.corrcoef(rows[~own.any(axis=1)].T)[0, 1]) < 0.05  # field by field


def test_the_seed_draws_the_donors():
    background = numbers(np.random.default_rng(0).normal(size=(50, 4)))
    model = model_of(4, lambda a, b, c, d: a * b + np.maximum(c - d, 0))
    one, again, other = (order_shares(model, SIGNS, background, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3
    np.testing.assert_allclose(one.sum(axis=1), 1)


def test_sets_among_each_record_s_top_fields():
    model = model_of(5, lambda a, b, c, d, e: a * b + c + d + 0 * e)
    inputs = numbers([[1, 1, 0.01, 0.01, 1], [0.01, 0.01, 1, 1, 1]])
    found = order_shares(model, inputs, numbers([[0] * 5]), order=2, top=2)
    np.testing.assert_allclose(found, [[0, 1], [1, 0]], atol=1e-6)


@pytest.mark.parametrize("fields, predicted", [(10, 176), (12, 299), (13, 299 + 13)])
def test_each_set_is_predicted_once(fields, predicted):
    model = model_of(fields, lambda *columns: sum(columns))
    inputs, background = numbers(np.ones((2, fields))), numbers(np.zeros((3, fields)))
    order_shares(model, inputs, background, donors=4)
    plain = 2 * 2 if fields > 12 else 2
    assert model.predicted == 2 * 4 * predicted + plain


def test_pooled_records_count_by_what_their_values_do():
    model = model_of(3, lambda a, b, c: a + b * c)
    inputs, background = numbers([[1, 0.1, 0.1], [1, 3, 1]]), numbers([[0, 0, 0]])
    found = order_shares(model, inputs, background, order=2)
    np.testing.assert_allclose(found, [[1 / 1.0001, 1e-4 / 1.0001], [1 / 10, 9 / 10]], atol=1e-6)
    pooled = order_shares(model, inputs, background, order=2, pooled=True)
    np.testing.assert_allclose(pooled, [2 / 11.0001, 9.0001 / 11.0001], atol=1e-6)


@pytest.mark.parametrize("noise", [0, 1e-7])  # the logits of a float32 model are no better
def test_a_record_that_changes_nothing_has_no_shares(rng, noise):
    def logit(a, b, c):
        return np.where(a == 1, b, 5 + noise * rng.normal(size=len(a)))

    inputs, background = numbers([[1, 1, 1], [0, 1, 1]]), numbers([[0.5, 2, 2]])
    changing, constant = order_shares(model_of(3, logit), inputs, background)
    assert changing.sum() == pytest.approx(1)
    assert constant.tolist() == [0, 0, 0]
    alone = numbers([[0, 1, 1]])
    assert order_shares(model_of(3, logit), alone, background, pooled=True).tolist() == [0, 0, 0]


def test_what_cannot_be():
    model = model_of(3, lambda a, b, c: a)
    inputs, background = numbers([[1, 1, 1], [1, 2, 1]]), numbers([[0, 2, 0], [5, 2, 5]])
    with pytest.raises(ValueError, match=r"'f1': the background has no other value .* record 1"):
        order_shares(model, inputs, background)
    for order in (0, 4):
        with pytest.raises(ValueError, match=f"order must be 1 to 3, got {order}"):
            order_shares(model, inputs, background, order)
    with pytest.raises(ValueError, match="order must be 1 to 2, got 3"):
        order_shares(model, inputs, background, top=2)
