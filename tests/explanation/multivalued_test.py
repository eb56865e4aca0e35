"""Explanations that change fields take all values of a list together."""

import dataclasses

import numpy as np
import pytest

from interhat_tf import Field, Schema
from interhat_tf.explanation.attributions import occlusion, value_effects
from interhat_tf.explanation.effect_targets import EffectTargets
from interhat_tf.explanation.explanation import explain_records
from interhat_tf.explanation.orders import order_shares
from interhat_tf.explanation.selection import where
from interhat_tf.explanation.sentences import label
from interhat_tf.models import FM, InterHAt
from interhat_tf.utils.value_texts import ValueTexts
from tests.explanation.made import MadeModel
from tests.numpy_reference import randomise

SCHEMA = Schema(
    [
        Field("user", "categorical", 9),
        Field("genres", "multivalued", 9, max_length=3),
        Field("tags", "multivalued", 9, max_length=2),
    ]
)
INPUTS = {
    "categorical": np.array([[4], [2]]),
    "multivalued": np.array([[1, 2, -1, 5, 6], [3, -1, -1, 7, -1]]),
}
DONOR = {"categorical": np.array([[8]]), "multivalued": np.array([[8, 8, 8, 8, -1]])}


def digits(user, first, second, third, one, other):
    """A logit that tells which values it is of; of padding, 0."""
    columns = [np.maximum(column, 0) for column in (user, first, second, third, one, other)]
    return sum(column * 10.0**place for place, column in enumerate(columns))


def test_occlusion_puts_the_donors_list_in_place_of_the_records():
    effects = occlusion(MadeModel(SCHEMA, digits), INPUTS, DONOR)
    expected = [
        [4 - 8, (10 + 200) - 8880, (50000 + 600000) - 80000],
        [2 - 8, 30 - 8880, 70000 - 80000],
    ]
    np.testing.assert_allclose(effects, expected)


def test_a_value_is_left_out_of_its_own_list():
    effects = value_effects(MadeModel(SCHEMA, digits), INPUTS)
    first, second = (10 + 200) - 20, 200
    expected = [[first, second, 0, 650000 - 60000, 600000], [30, 0, 0, 70000, 0]]
    np.testing.assert_allclose(effects, expected)


def test_targets_of_an_effect_head_replace_whole_lists():
    seen = []

    class Model:
        schema = SCHEMA

        def __call__(self, inputs):
            seen.append({kind: np.array(values) for kind, values in inputs.items()})
            return np.zeros((len(seen[-1]["categorical"]), 1), "float32")

    tensors = {kind: np.array(values, "int32") for kind, values in INPUTS.items()}
    EffectTargets(Model(), "occlusion", False, seed=0).draw(tensors, np.zeros(2, "float32"))
    (changed,) = seen
    lists = INPUTS["multivalued"]
    for row, user in enumerate(INPUTS["categorical"][:, 0]):
        own, other = lists[row], lists[1 - row]
        found = changed["multivalued"][row]
        replaced = [not np.array_equal(found[:3], own[:3]), not np.array_equal(found[3:], own[3:])]
        for was_replaced, part in zip(replaced, (slice(0, 3), slice(3, 5)), strict=True):
            np.testing.assert_array_equal(found[part], (other if was_replaced else own)[part])
        assert sum(replaced) + (changed["categorical"][row, 0] != user) == 1


def test_orders_take_donors_whose_lists_differ():
    model = randomise(FM(SCHEMA))
    rng = np.random.default_rng(0)
    lists = np.stack([rng.permutation(9)[:5] for _ in range(20)])
    background = {"categorical": rng.integers(0, 9, (20, 1)), "multivalued": lists}
    shares = order_shares(model, INPUTS, background, order=2)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    same = {"categorical": np.array([[8]]), "multivalued": INPUTS["multivalued"][:1]}
    with pytest.raises(ValueError, match="field 'genres': the background has no other value"):
        order_shares(model, INPUTS, same, order=2)


def test_a_condition_asks_for_a_value_among_others():
    assert where(SCHEMA, genres=3)(INPUTS).tolist() == [False, True]
    assert where(SCHEMA, genres=2, user=4)(INPUTS).tolist() == [True, False]
    assert where(SCHEMA, tags=3)(INPUTS).tolist() == [False, False]
    with pytest.raises(ValueError, match=r"field 'tags': id 9 is outside the vocabulary \[0, 9\)"):
        where(SCHEMA, tags=9)


def test_records_have_their_values_as_text_and_one_by_one():
    explanation = explain_records(InterHAt(SCHEMA), INPUTS)
    assert explanation.values.tolist() == [["4", "1, 2", "5, 6"], ["2", "3", "7"]]
    assert explanation.values[0, 1].parts == ("1", "2")
    texts = np.array([["u4", ValueTexts(["War", "Drama"]), ValueTexts(["a"])]] * 2, object)
    explanation = explain_records(InterHAt(SCHEMA, pooling="mean"), INPUTS, texts)
    assert explanation.value_shares(0, "genres") == [("War", 0.5), ("Drama", 0.5)]
    assert explanation.label(0, 1) == "genres = War, Drama"  # equal weights say nothing
    assert explanation.value_to_draw(0, 1) == "War, Drama"
    assert explanation[[1]].value_shares(0, "tags") == [("a", 1.0)]
    assert not explanation.unknown.any()
    with pytest.raises(
        ValueError, match="'user' is not a multivalued field or a sequence; there are: genres, tags"
    ):
        explanation.value_shares(0, "user")
    with pytest.raises(ValueError, match="background"):
        explanation.value_moves(0, "genres")
    none = {**INPUTS, "multivalued": np.full((2, 5), -1)}
    none["multivalued"][0, 0] = 0
    explanation = explain_records(InterHAt(SCHEMA), none)
    assert explanation.label(1, 1) == "genres unknown" and explanation.value_shares(1, "tags") == []
    assert explanation.unknown.tolist() == [[False, True, False], [False] * 3]


def test_a_field_has_its_own_values_the_largest_effect_first():
    made = np.array([[0.1, -0.5, 0.0, 0.2, -0.3], [0.0] * 5])
    explanation = explain_records(InterHAt(SCHEMA), INPUTS)
    explanation = dataclasses.replace(explanation, value_effects=made)
    assert explanation.value_moves(0, "genres") == [("2", -0.5), ("1", 0.1)]
    assert explanation.value_moves(0, "tags") == [("6", -0.3), ("5", 0.2)]


def test_a_label_has_three_values_at_most():
    shares = [(f"g{i}", weight) for i, weight in enumerate((0.4, 0.3, 0.2, 0.1))]
    assert label("genres", "g0, g1, g2, g3", shares) == "genres: g0 0.40, g1 0.30, g2 0.20, …"
