import itertools
from functools import partial

import numpy as np
import pytest

from interhat_tf import CrossedField, Field, InterHAt, Schema
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.interactions import (
    field_groups,
    pair_effects,
    pair_positions,
    pairs_within,
    triple_effects,
)
from interhat_tf.models import DNN, FM, LR
from tests.explanation.made import MadeModel

FIELDS = [*(Field(f"f{i}", "categorical", 6) for i in range(1, 4)), Field("price", "numerical")]
CROSS = CrossedField(("f1", "f3"), [[i, j] for i in range(1, 6) for j in range(1, 6, 2)])
SCHEMA = Schema(FIELDS)


def records(rng, rows):
    return {
        "categorical": rng.integers(0, 6, (rows, 3)),
        "numerical": rng.normal(size=(rows, 1)).astype("float32"),
    }


def randomise(model):
    for weight in model.trainable_weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape) / 2)
    return model


def brute_force(model, inputs, background, fields):
    """The definition, a record and a donor at a time; the model sees them all at once."""
    place = {name: ("categorical", i) for i, name in enumerate(["f1", "f2", "f3"])}
    place["price"] = ("numerical", 0)

    def replaced(record, donor, fields):
        changed = {kind: values[record].copy() for kind, values in inputs.items()}
        for kind, column in (place[name] for name in fields):
            changed[kind][column] = background[kind][donor, column]
        return changed

    rows, draws = len(inputs["categorical"]), len(background["categorical"])
    changes = [c for size in range(4) for c in itertools.combinations(fields, size)]
    terms = [
        replaced(record, donor, change)
        for record in range(rows)
        for donor in range(draws)
        for change in changes
    ]
    logits = model({kind: np.stack([term[kind] for term in terms]) for kind in inputs})
    logits = np.reshape(logits, (rows, draws, len(changes))).astype("float64")
    signs = {2: [1, -1, -1, 1], 3: [1, -1, -1, -1, 1, 1, 1, -1]}[len(fields)]
    return (logits @ signs).mean(axis=1)


@pytest.mark.parametrize("make", [partial(InterHAt, order=2), partial(DNN, mlp_units=(5,)), FM])
@pytest.mark.parametrize("crosses", [(), (CROSS,)], ids=["plain", "crossed"])
def test_equals_the_definition(rng, make, crosses):
    model = randomise(make(Schema(FIELDS, crosses)))
    inputs, background = records(rng, 3), records(rng, 4)
    for effects, size in ((pair_effects, 2), (triple_effects, 3)):
        found = effects(model, inputs, background)
        assert np.abs(found).max() > 0.01 or (make is FM and size == 3 and not crosses)
        groups = itertools.combinations(["f1", "f2", "f3", "price"], size)
        for column, fields in zip(found.T, groups, strict=True):
            expected = brute_force(model, inputs, background, fields)
            np.testing.assert_allclose(column, expected, atol=1e-4, err_msg=str(fields))


def test_given_pairs_in_the_given_order(rng):
    model, inputs = randomise(FM(SCHEMA)), records(rng, 5)
    background = records(rng, 4)
    pairs = field_groups(SCHEMA, 2)
    assert len(pairs) == 6
    everything = pair_effects(model, inputs, background)
    chosen = pair_effects(model, inputs, background, [("price", "f2"), ("f1", "f2")])
    columns = [pairs.index(("f2", "price")), pairs.index(("f1", "f2"))]
    np.testing.assert_allclose(chosen, everything[:, columns], atol=1e-6)


def test_what_is_added_up_does_not_interact_but_for_a_cross(rng):
    inputs, background = records(rng, 9), records(rng, 4)
    np.testing.assert_allclose(
        pair_effects(randomise(LR(SCHEMA)), inputs, background), 0, atol=1e-5
    )
    effects = pair_effects(randomise(LR(Schema(FIELDS, [CROSS]))), inputs, background)
    of_cross = field_groups(SCHEMA, 2).index(("f1", "f3"))
    assert np.abs(effects[:, of_cross]).max() > 0.1
    np.testing.assert_allclose(np.delete(effects, of_cross, axis=1), 0, atol=1e-5)


def planted(rng, logit):
    """A model of four fields of -1 or 1, records and a background whose fields average to 0."""
    schema = Schema([Field(name, "numerical") for name in "abcd"])
    every = np.array(list(itertools.product((-1.0, 1.0), repeat=4)), "float32")
    return MadeModel(schema, logit), {"numerical": rng.permutation(every)[:5]}, {"numerical": every}


def test_the_effects_of_a_known_logit(rng):
    def logit(a, b, c, d):
        return 3 * a + 2 * a * b + 5 * b * c * d

    model, inputs, background = planted(rng, logit)
    a, b, c, d = inputs["numerical"].T
    pairs = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "c")]
    # Against a background of mean 0 without correlation, a term is in all of its groups.
    expected = np.stack([2 * a * b, *[5 * b * c * d] * 2, 0 * a], axis=1)
    np.testing.assert_allclose(pair_effects(model, inputs, background, pairs), expected, atol=1e-5)
    found = triple_effects(model, inputs, background)
    expected = np.stack([0 * a, 0 * a, 0 * a, 5 * b * c * d], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_nothing_but_a_sum_has_no_effects_together(rng):
    model, inputs, background = planted(rng, lambda a, b, c, d: a - 2 * b + 3 * c - d)
    for effects in (pair_effects, triple_effects):
        np.testing.assert_allclose(effects(model, inputs, background), 0, atol=1e-5)


def test_each_set_of_fields_is_predicted_once(rng):
    for effects, groups, sets in (
        (pair_effects, None, 4 + 6),
        (pair_effects, [("a", "b"), ("b", "c")], 3 + 2),
        (triple_effects, None, 4 + 6 + 4),
        (triple_effects, [("a", "b", "c"), ("d", "b", "c")], 4 + 5 + 2),
    ):
        model, inputs, background = planted(rng, lambda a, b, c, d: a * b * c * d)
        effects(model, inputs, background, groups)
        assert model.predicted == 5 * 16 * sets + 5


def test_no_pairs_at_all(rng):
    model, inputs, background = planted(rng, lambda a, b, c, d: a)
    assert pair_effects(model, inputs, background, []).shape == (5, 0)


def test_pairs_within_the_fields_that_count(rng):
    model = randomise(DNN(Schema(FIELDS, [CROSS]), mlp_units=(5,)))
    inputs, background = records(rng, 6), records(rng, 4)
    names = model.schema.field_names  # f1, f2, f3, f1 x f3, price
    effects = occlusion(model, inputs, background)
    pairs, found = pairs_within(model, inputs, background, effects, 3)
    assert pairs.shape == (6, 3, 2) and found.shape == (6, 3)
    everything = pair_effects(model, inputs, background)
    columns = field_groups(model.schema, 2)
    for record in range(6):
        size = dict(zip(names, np.abs(effects[record]), strict=True))
        del size["f1 x f3"]
        weakest = min(size, key=size.get)
        for pair, effect in zip(pairs[record], found[record], strict=True):
            named = tuple(names[place] for place in pair)
            assert weakest not in named
            expected = everything[record, columns.index(named)]
            np.testing.assert_allclose(effect, expected, atol=1e-5)
    assert len({tuple(of_record.ravel()) for of_record in pairs}) > 1  # records differ in them
    with pytest.raises(ValueError, match="interactions must be at least 2, got 1"):
        pairs_within(model, inputs, background, effects, 1)


def test_positions_of_pairs_are_among_the_crosses():
    schema = Schema(FIELDS, [CROSS])
    names = np.array(schema.field_names)[pair_positions(schema)]
    assert [tuple(pair) for pair in names.tolist()] == field_groups(schema, 2)


@pytest.mark.parametrize("pair", [("f1", "f1"), ("f1",), ("f1", "f9"), ("f1", "f1 x f3")])
def test_pairs_that_are_none(rng, pair):
    model = LR(Schema(FIELDS, [CROSS]))
    with pytest.raises(ValueError, match=r"two different fields of a record, .* f1, f2, f3, price"):
        pair_effects(model, records(rng, 2), records(rng, 2), [pair])


@pytest.mark.parametrize("triple", [("f1", "f2"), ("f1", "f2", "f2"), ("f1", "f2", "f9")])
def test_triples_that_are_none(rng, triple):
    with pytest.raises(ValueError, match="a triple is of three different fields of a record"):
        triple_effects(LR(SCHEMA), records(rng, 2), records(rng, 2), [triple])


def test_records_that_do_not_follow_the_schema(rng):
    wrong = records(rng, 2)
    wrong["categorical"][1, 0] = 6
    for inputs, background in ((wrong, records(rng, 2)), (records(rng, 2), wrong)):
        with pytest.raises(ValueError, match="'f1', row 1: id 6"):
            pair_effects(LR(SCHEMA), inputs, background)
