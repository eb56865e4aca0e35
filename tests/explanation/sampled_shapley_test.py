import itertools

import numpy as np
import pytest

from interhat_tf import CrossedField, Field, InterHAt, Schema
from interhat_tf.explanation.sampled_shapley import sampled_shapley_values
from interhat_tf.models import LR
from tests.numpy_reference import randomise

FIELDS = [*(Field(f"f{i}", "categorical", 6) for i in (1, 2)), Field("price", "numerical")]
CROSS = CrossedField(("f1", "f2"), [[i, j] for i in range(1, 6) for j in range(1, 6, 2)])


def records(rng, rows):
    return {
        "categorical": rng.integers(0, 6, (rows, 2)),
        "numerical": rng.normal(size=(rows, 1)).astype("float32"),
    }


class Product:
    """The logit is the product of all columns."""

    schema = Schema(FIELDS)

    def predict_on_batch(self, inputs):
        columns = np.concatenate([inputs["categorical"], inputs["numerical"]], axis=1)
        return columns.prod(axis=1, keepdims=True)


def brute_force(record, donors):
    """The Shapley values of a product, over all orders and all donors."""
    values = np.zeros(3)
    orders = list(itertools.permutations(range(3)))
    for donor, order in itertools.product(donors, orders):
        mixed = donor.copy()
        for field in order:
            before = mixed.prod()
            mixed[field] = record[field]
            values[field] += mixed.prod() - before
    return values / len(donors) / len(orders)


@pytest.mark.parametrize("crosses", [(), (CROSS,)], ids=["plain", "crossed"])
def test_values_sum_to_what_a_record_has_over_the_background(rng, crosses):
    model = randomise(InterHAt(Schema(FIELDS, crosses), order=2))
    inputs, background = records(rng, 5), records(rng, 7)
    values = sampled_shapley_values(model, inputs, background)
    over = model(inputs)[:, 0] - np.mean(model(background))
    np.testing.assert_allclose(values.sum(axis=1), over, rtol=1e-4, atol=1e-4)
    assert np.std(over) > 0.01
    assert not crosses or not values[:, 2].any()


def test_equal_those_over_all_orders_but_for_chance(rng):
    inputs, background = records(rng, 3), records(rng, 40)
    many = {kind: np.tile(values, (100, 1)) for kind, values in background.items()}
    values = sampled_shapley_values(Product(), inputs, many)
    rows, donors = (np.concatenate([*r.values()], axis=1) for r in (inputs, background))
    expected = np.array([brute_force(row, donors) for row in rows])
    np.testing.assert_allclose(values, expected, atol=0.06 * np.abs(expected).max())
    other = sampled_shapley_values(Product(), inputs, background, seed=1)
    assert (other != sampled_shapley_values(Product(), inputs, background)).any()


def test_what_is_added_up_is_exact_in_any_order(rng):
    model = randomise(LR(Schema(FIELDS)))
    inputs, background = records(rng, 4), records(rng, 3)
    terms = np.asarray(model.field_vectors(inputs))[..., 0]
    mean = np.mean(model.field_vectors(background), axis=0)[:, 0]
    values = sampled_shapley_values(model, inputs, background)
    np.testing.assert_allclose(values, terms - mean, atol=1e-5)


def test_records_that_do_not_follow_the_schema(rng):
    wrong = records(rng, 2)
    wrong["categorical"][1, 0] = 6
    with pytest.raises(ValueError, match="'f1', row 1: id 6"):
        sampled_shapley_values(Product(), wrong, records(rng, 2))
