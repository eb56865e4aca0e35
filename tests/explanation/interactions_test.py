import itertools
from functools import partial

import numpy as np
import pytest

from interhat_tf import CrossedField, Field, InterHAt, Schema
from interhat_tf.explanation import attributions
from interhat_tf.explanation.interactions import all_pairs, pair_effects
from interhat_tf.models import DNN, FM, LR

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


def brute_force(model, inputs, background, one, other):
    """The definition, a record and a donor at a time; the model sees them all at once."""
    place = {name: ("categorical", i) for i, name in enumerate(["f1", "f2", "f3"])}
    place["price"] = ("numerical", 0)

    def replaced(record, donor, fields):
        changed = {kind: values[record].copy() for kind, values in inputs.items()}
        for kind, column in (place[name] for name in fields):
            changed[kind][column] = background[kind][donor, column]
        return changed

    rows, draws = len(inputs["categorical"]), len(background["categorical"])
    terms = [
        replaced(record, donor, fields)
        for record in range(rows)
        for donor in range(draws)
        for fields in ((), (one,), (other,), (one, other))
    ]
    logits = model({kind: np.stack([term[kind] for term in terms]) for kind in inputs})
    logits = np.reshape(logits, (rows, draws, 4)).astype("float64")
    return (logits @ [1, -1, -1, 1]).mean(axis=1)


@pytest.mark.parametrize("make", [partial(InterHAt, order=2), partial(DNN, mlp_units=(5,)), FM])
@pytest.mark.parametrize("crosses", [(), (CROSS,)], ids=["plain", "crossed"])
def test_equals_the_definition(rng, make, crosses):
    model = randomise(make(Schema(FIELDS, crosses)))
    inputs, background = records(rng, 3), records(rng, 4)
    found = pair_effects(model, inputs, background)
    assert np.abs(found).max() > 0.01
    for column, pair in enumerate(itertools.combinations(["f1", "f2", "f3", "price"], 2)):
        expected = brute_force(model, inputs, background, *pair)
        np.testing.assert_allclose(
            found[:, column], expected, atol=1e-4, rtol=1e-5, err_msg=str(pair)
        )


def test_given_pairs_in_the_given_order(rng):
    model, inputs = randomise(FM(SCHEMA)), records(rng, 5)
    background = records(rng, 4)
    pairs = all_pairs(SCHEMA)
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
    of_cross = all_pairs(SCHEMA).index(("f1", "f3"))
    assert np.abs(effects[:, of_cross]).max() > 0.1
    np.testing.assert_allclose(np.delete(effects, of_cross, axis=1), 0, atol=1e-5)


def test_more_predictions_than_go_through_the_model_at_a_time(rng, monkeypatch):
    model, inputs, background = InterHAt(SCHEMA, order=2), records(rng, 6), records(rng, 4)
    together = pair_effects(model, inputs, background)
    monkeypatch.setattr(attributions, "ROWS", 7)
    np.testing.assert_allclose(pair_effects(model, inputs, background), together, atol=1e-5)


@pytest.mark.parametrize("pair", [("f1", "f1"), ("f1",), ("f1", "f9"), ("f1", "f1 x f3")])
def test_pairs_that_are_none(rng, pair):
    model = LR(Schema(FIELDS, [CROSS]))
    with pytest.raises(ValueError, match=r"two different fields of a record, .* f1, f2, f3, price"):
        pair_effects(model, records(rng, 2), records(rng, 2), [pair])


def test_records_that_do_not_follow_the_schema(rng):
    wrong = records(rng, 2)
    wrong["categorical"][1, 0] = 6
    for inputs, background in ((wrong, records(rng, 2)), (records(rng, 2), wrong)):
        with pytest.raises(ValueError, match="'f1', row 1: id 6"):
            pair_effects(LR(SCHEMA), inputs, background)
