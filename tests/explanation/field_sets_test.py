import numpy as np
import pytest

from interhat_tf.explanation import batches, field_sets
from interhat_tf.explanation.field_sets import (
    checked,
    differences,
    largest,
    mean_logits,
    members,
    subsets,
)
from tests.explanation.made import SCHEMA, MadeModel, make_inputs


def digits(f1, f2, f3, price):
    """A logit that shows each field's value in a place of its own."""
    return f1 + 10 * f2 + 100 * f3 + 1_000 * price


def replaced_one_by_one(inputs, donors_of, fields):
    """Mean logits of `digits` by the definition, a record and a donor at a time."""
    means = []
    for record, x in enumerate(rows_of(inputs)):
        logits = []
        for donor in donors_of(record):
            changed = x.copy()
            changed[fields] = donor[fields]
            logits.append(digits(*changed))
        means.append(np.mean(logits))
    return means


def rows_of(records):
    return np.concatenate([records["categorical"], records["numerical"]], axis=-1).astype("float64")


@pytest.fixture
def whole():
    """Records whose numbers are whole, so that float32 adds them up without error."""
    inputs, background = make_inputs(5, seed=1), make_inputs(3, seed=2)
    for records in (inputs, background):
        records["numerical"] = np.round(records["numerical"] * 4)
    return inputs, background


SETS = [(), (0,), (1, 3), (0, 1, 2, 3)]


def test_the_same_donors_for_all_records(whole):
    inputs, background = whole
    replaced = members(SETS, np.arange(4)[None], 4)
    found = mean_logits(MadeModel(SCHEMA, digits), inputs, background, replaced)
    for column, fields in enumerate(SETS):
        expected = replaced_one_by_one(inputs, lambda _: rows_of(background), list(fields))
        np.testing.assert_allclose(found[:, column], expected)


def test_donors_and_sets_of_each_record_s_own(whole):
    inputs, _ = whole
    own = [make_inputs(7, seed=10 + record) for record in range(5)]
    donors = {kind: np.stack([one[kind] for one in own]) for kind in inputs}
    fields = np.array([[0, 1], [1, 2], [2, 3], [0, 3], [0, 2]])
    replaced = members([(1,), (0, 1)], fields, 4)
    found = mean_logits(MadeModel(SCHEMA, digits), inputs, donors, replaced)
    for record in range(5):
        for column, chosen in enumerate(([1], [0, 1])):
            expected = replaced_one_by_one(
                inputs, lambda r: rows_of(own[r]), fields[record, chosen]
            )
            np.testing.assert_allclose(found[record, column], expected[record], rtol=1e-6)


@pytest.mark.parametrize("at_a_time", [2, 7, 8192])
def test_each_set_is_predicted_once_in_large_batches(whole, monkeypatch, at_a_time):
    inputs, background = whole
    replaced = members(SETS, np.arange(4)[None], 4)
    expected = mean_logits(MadeModel(SCHEMA, digits), inputs, background, replaced)
    for module in (batches, field_sets):
        monkeypatch.setattr(module, "ROWS", at_a_time)
    model = MadeModel(SCHEMA, digits)
    np.testing.assert_array_equal(mean_logits(model, inputs, background, replaced), expected)
    assert model.predicted == 5 * 3 * 3 + 5  # the empty set once, whatever the donors


def test_donors_take_the_records_types(whole):
    inputs, background = whole
    seen = []
    model = MadeModel(SCHEMA, digits)
    predict = model.predict_on_batch
    model.predict_on_batch = lambda part: (
        seen.append({kind: values.dtype for kind, values in part.items()}) or predict(part)
    )
    wide = {kind: values.astype("int64") for kind, values in background.items()}
    mean_logits(model, inputs, wide, members([(0, 3)], np.arange(4)[None], 4))
    assert len(seen) == 2
    assert all(kinds == {"categorical": "int32", "numerical": "float32"} for kinds in seen)


def test_differences_take_away_what_smaller_sets_add(rng):
    added = {group: rng.normal(size=3) for group in subsets([(0, 1, 2)])}
    sets = subsets([(0, 1, 2)])
    values = np.stack(
        [sum(added[part] for part in sets if set(part) <= set(group)) for group in sets], axis=1
    )  # (B, sets)
    groups = [(1,), (0, 2), (0, 1, 2), ()]
    expected = np.stack([added[group] for group in groups], axis=1)
    np.testing.assert_allclose(differences(values, sets, groups), expected, atol=1e-12)


def test_the_largest_of_two_equal_ones_is_the_first():
    assert largest(np.array([[1.0, -2.0, 2.0, 1.0]]), 3).tolist() == [[0, 1, 2]]
    assert largest(np.array([[1.0, 2.0]]), 5).tolist() == [[0, 1]]


def test_numbers_in_double_precision_stay_so():
    records = {**make_inputs(1), "numerical": np.array([[2.0**24 + 1]])}
    assert checked(SCHEMA, records)["numerical"].tolist() == [[2.0**24 + 1]]


def test_records_are_checked():
    records = checked(SCHEMA, {kind: array.tolist() for kind, array in make_inputs(2).items()})
    assert records["categorical"].shape == (2, 3) and records["numerical"].shape == (2, 1)
    with pytest.raises(ValueError, match="there is no record"):
        checked(SCHEMA, make_inputs(0))
    wrong = make_inputs(2)
    wrong["categorical"][1, 0] = 4
    with pytest.raises(ValueError, match="'f1', row 1: id 4"):
        checked(SCHEMA, wrong)
