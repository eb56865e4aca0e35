"""Tests of what an effect head learns from, on models whose logits are known functions."""

import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import CrossedField, Field, Schema
from interhat_tf.explanation.effect_targets import EffectTargets

FIELDS = [Field("b", "categorical", 9), Field("a", "categorical", 9), Field("price", "numerical")]
CROSS = CrossedField(("b", "a"), [[1, 2], [3, 3]])
ROWS = 400


class Known:
    """A model whose logit is a function of the record's columns."""

    def __init__(self, function, crosses=(), fields=FIELDS):
        self.schema, self.function = Schema(fields, crosses), function

    def __call__(self, inputs):
        columns = [tf.cast(values, "float32") for values in inputs.values()]
        return self.function(*tf.unstack(tf.concat(columns, axis=1), axis=1))[:, None]


def mixed(b, a, price):
    return 10 * b + a * price + 0.1 * b * a


@pytest.fixture
def inputs(rng):
    return {
        "categorical": tf.constant(rng.integers(0, 9, (ROWS, 2)), "int32"),
        "numerical": tf.constant(rng.normal(size=(ROWS, 1)), "float32"),
    }


def draw(model, inputs, kind="occlusion", pairs=False):
    targets = EffectTargets(model, kind, pairs, seed=0).draw(inputs, model(inputs)[:, 0])
    return [(name, np.asarray(number), np.asarray(value)) for name, number, value in targets]


def records_and_donors(inputs):
    records = np.concatenate([inputs["categorical"], inputs["numerical"]], axis=1)
    return records, np.roll(records, 1, axis=0)


def logits(records, donors, changed, function=mixed):
    """The logits of records, with the donors' values of the fields at these positions."""
    records = records.copy()
    for fields in np.transpose(changed):
        rows = np.arange(len(records))
        records[rows, fields] = donors[rows, fields]
    return function(*records.T)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("crosses", [(), (CROSS,)], ids=["plain", "crossed"])
def test_occlusion_is_by_the_definition(inputs, pairs, crosses):
    found = draw(Known(mixed, crosses), inputs, pairs=pairs)
    records, donors = records_and_donors(inputs)
    own = mixed(*records.T)
    position = {0: 0, 1: 1, 2 + len(crosses): 2}  # of the model's fields among the record's
    singles = found[: 2 if pairs else 1]
    fields = []
    for name, number, value in singles:
        assert name == "effects" and set(number) == set(position)
        assert np.bincount(number).max() < 0.45 * ROWS
        fields.append(np.array([position[n] for n in number]))
        expected = own - logits(records, donors, fields[-1][:, None])
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-3)
    if crosses:
        name, number, value = found[len(singles)]
        assert name == "effects" and set(number) == {2}
        both = np.tile([0, 1], (ROWS, 1))
        expected = own - logits(records, donors, both)
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-3)
    assert len(found) == len(singles) + len(crosses) + pairs
    if not pairs:
        return
    name, number, value = found[-1]
    one, other = fields
    assert name == "pair_effects"
    np.testing.assert_array_equal(number, one + other - 1)  # (0, 1), (0, 2), (1, 2)
    assert (one != other).all()
    expected = own + logits(records, donors, np.stack([one, other], axis=1))
    expected -= logits(records, donors, one[:, None]) + logits(records, donors, other[:, None])
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-3)
    assert np.std(expected) > 0.1


def test_what_is_added_up_has_the_same_shapley_target_in_any_order(inputs):
    def additive(b, a, price):
        return b**2 + 3 * a - price

    ((name, number, value),) = draw(Known(additive), inputs, kind="shapley")
    records, donors = records_and_donors(inputs)
    expected = additive(*records.T) - logits(records, donors, number[:, None], additive)
    assert name == "effects" and set(number) == {0, 1, 2}
    np.testing.assert_allclose(value, expected, atol=1e-4)


def test_a_field_of_a_product_joins_before_or_behind_the_other(inputs):
    def product(b, a, price):
        return b * a + 0 * price

    ((_, number, value),) = draw(Known(product, [CROSS]), inputs, kind="shapley")
    assert set(number) == {0, 1, 3}  # a cross has no share of its own
    records, donors = records_and_donors(inputs)
    first = number == 0
    step = (records[:, 0] - donors[:, 0])[first]
    before, behind = step * donors[first, 1], step * records[first, 1]
    is_before, is_behind = (np.isclose(value[first], end, atol=1e-4) for end in (before, behind))
    assert (is_before | is_behind).all()
    differ = before != behind
    assert 0.3 < is_before[differ].mean() < 0.7
    np.testing.assert_allclose(value[number == 3], 0, atol=1e-4)


def test_the_seed_decides_what_is_drawn(inputs):
    model = Known(mixed)
    (one,), (same,) = draw(model, inputs), draw(model, inputs)
    np.testing.assert_array_equal(one[1], same[1])
    other = EffectTargets(model, "occlusion", False, seed=1).draw(inputs, model(inputs)[:, 0])
    assert (np.asarray(other[0][1]) != one[1]).any()


def test_categorical_fields_alone(inputs):
    def product(b, a):
        return b * a

    ids = {"categorical": inputs["categorical"]}
    ((_, number, value),) = draw(Known(product, fields=FIELDS[:2]), ids)
    records, donors = (each[:, :2] for each in records_and_donors(inputs))
    expected = product(*records.T) - logits(records, donors, number[:, None], product)
    np.testing.assert_allclose(value, expected, atol=1e-4)
