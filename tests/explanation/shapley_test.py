import itertools
import math

import numpy as np
import pytest

from interhat_tf import CrossedField, Field, Schema
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.batches import predict
from interhat_tf.explanation.shapley import shapley_interactions
from interhat_tf.models import LR
from tests.explanation.made import MadeModel


def made(rng, fields, values=3):
    """A model whose logit is random for each record there is, and records."""
    table = rng.normal(size=(values,) * fields)
    schema = Schema([Field(f"f{i}", "categorical", values) for i in range(fields)])
    model = MadeModel(schema, lambda *columns: table[columns])
    inputs, background = (
        {"categorical": rng.integers(0, values, (rows, fields))} for rows in (3, 4)
    )
    return model, inputs, background


def game(model, inputs, background, record):
    """Returns v, the mean logit of a record that keeps the values of a coalition."""
    (x, donors) = inputs["categorical"][record], background["categorical"]

    def v(kept):
        rows = np.where(np.isin(np.arange(len(x)), list(kept)), x, donors)
        return model.logit(*rows.T).mean()

    return v


def difference(v, group, others):
    """What the fields of a group add together where the others are there already."""
    parts = [p for size in range(len(group) + 1) for p in itertools.combinations(group, size)]
    return sum((-1) ** (len(group) - len(part)) * v({*others, *part}) for part in parts)


def by_permutations(v, fields, group, order):
    """The index as its authors define it: a mean over all orders in which fields may join."""
    if len(group) < order:
        return difference(v, group, ())
    found = []
    for permutation in itertools.permutations(range(fields)):
        first = min(permutation.index(field) for field in group)
        found.append(difference(v, group, permutation[:first]))
    return np.mean(found)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_the_definition_and_adds_up(rng, order):
    model, inputs, background = made(rng, 4)
    found = shapley_interactions(model, inputs, background, order)
    assert len(found) == sum(math.comb(4, size) for size in range(1, order + 1))
    for record in range(3):
        v = game(model, inputs, background, record)
        for names, values in found.items():
            group = tuple(int(name[1:]) for name in names)
            assert values[record] == pytest.approx(by_permutations(v, 4, group, order), abs=1e-9)
    total = predict(model, inputs) - predict(model, background).mean()
    np.testing.assert_allclose(sum(found.values()), total, atol=1e-9)


def test_it_adds_up_over_more_fields_at_one_prediction_a_coalition(rng):
    model, inputs, background = made(rng, 7, values=2)
    found = shapley_interactions(model, inputs, background)
    assert model.predicted == 3 * 4 * (2**7 - 1) + 3
    total = predict(model, inputs) - predict(model, background).mean()
    np.testing.assert_allclose(sum(found.values()), total, atol=1e-9)


def test_a_triple_is_shared_by_its_pairs():
    schema = Schema([Field(name, "numerical") for name in "abcd"])
    model = MadeModel(schema, lambda a, b, c, d: 2 * a + 6 * b * c * d)
    inputs = {"numerical": np.ones((1, 4), "float32")}
    background = {"numerical": np.zeros((1, 4), "float32")}
    found = shapley_interactions(model, inputs, background)
    expected = {("a",): 2, ("b", "c"): 2, ("b", "d"): 2, ("c", "d"): 2}
    assert {group: values[0] for group, values in found.items() if values[0]} == expected


def test_what_a_linear_model_says_of_fields_is_occlusion_and_a_cross_is_a_pair(rng):
    fields = [*(Field(f"f{i}", "categorical", 6) for i in (1, 2, 3)), Field("price", "numerical")]
    cross = CrossedField(("f1", "f3"), [[i, j] for i in range(1, 6) for j in range(1, 6)])
    inputs, background = (
        {
            "categorical": rng.integers(0, 6, (rows, 3)),
            "numerical": rng.normal(size=(rows, 1)).astype("float32"),
        }
        for rows in (5, 4)
    )
    for schema in (Schema(fields), Schema(fields, [cross])):
        model = LR(schema)
        model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
        found = shapley_interactions(model, inputs, background)
        pair = found.pop(("f1", "f3"))
        assert (np.abs(pair).max() > 0.1) == bool(schema.crosses)
        for names, values in found.items():
            if len(names) == 2:
                np.testing.assert_allclose(values, 0, atol=1e-5)
        if not schema.crosses:
            alone = np.stack([found[field.name,] for field in fields], axis=1)
            np.testing.assert_allclose(alone, occlusion(model, inputs, background), atol=1e-5)


def test_agrees_with_shapiq(rng):
    shapiq = pytest.importorskip("shapiq")
    model, inputs, background = made(rng, 5)
    for order in (1, 2, 3):
        found = shapley_interactions(model, inputs, background, order)
        for record in range(3):
            v = game(model, inputs, background, record)

            def centred(coalitions, v=v):
                return np.array([v(np.flatnonzero(kept)) - v(()) for kept in coalitions])

            exact = shapiq.ExactComputer(centred, n_players=5)("STII", order)
            for names, values in found.items():
                group = tuple(int(name[1:]) for name in names)
                assert values[record] == pytest.approx(exact[group], abs=1e-6), names


def test_what_is_refused(rng):
    model, inputs, background = made(rng, 2)
    for order in (0, 3):
        with pytest.raises(ValueError, match=f"order must be 1 to 2, the .* fields, got {order}"):
            shapley_interactions(model, inputs, background, order)
    many = {"numerical": np.zeros((1, 13), "float32")}
    schema = Schema([Field(f"f{i}", "numerical") for i in range(13)])
    with pytest.raises(ValueError, match=r"has 13 fields, .* at most 12 fields, or use pair_eff"):
        shapley_interactions(MadeModel(schema, lambda *columns: columns[0]), many, many)
