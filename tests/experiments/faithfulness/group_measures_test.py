import numpy as np
import pytest

from experiments.faithfulness import group_measures
from experiments.faithfulness.group_measures import against_coalitions, naming
from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation import pair_effects
from interhat_tf.explanation.batches import explain_inputs
from interhat_tf.models import FM, LR


def test_pairs_within_groups():
    assert group_measures.planted_pairs([(5, 6, 7)]) == {(4, 5), (4, 6), (5, 6)}
    assert group_measures.planted_pairs([(1,)]) == set()


def test_three_planted_pairs_on_top_have_rank_1():
    values = np.array([[3.0, 1.0, -2.0, 0.0, 4.0]])
    planted = np.array([True, False, True, False, True])
    assert naming(values, planted) == {"found": True, "precision": 1.0, "rank": 1.0}
    last = naming(values, ~planted)  # ranks 4 and 5, at best 1 and 2
    assert last == {"found": False, "precision": 0.0, "rank": 4.0}


def test_equal_values_name_nothing_for_sure():
    assert naming(np.zeros((1, 3)), np.array([True, False, False]))["rank"] == 2.0


def test_agreement_with_all_coalitions():
    exact = np.array([[1.0, -2.0, 3.0], [0.0, 1.0, -2.0]])
    assert against_coalitions("pair_effects", exact, exact) == {"tau": 1.0, "r2": 1.0}
    twice = against_coalitions("pair_effects", 2 * exact, exact)
    assert twice["tau"] == 1 and twice["r2"] == pytest.approx(1 - (19 / 6) / (19 / 6 - 1 / 36))
    found = against_coalitions("attention", exact[:, ::-1], exact)
    assert found == {"tau": pytest.approx(-1.0)}  # it gives no amounts of the logit


@pytest.fixture
def records(rng):
    return [{"categorical": rng.integers(1, 4, (n, 4))} for n in (6, 40, 200)]


def random_model(kind, rng):
    model = kind(Schema([Field(name, "categorical", 4) for name in "abcd"]))
    model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    return model


def test_exact_interactions_of_pairs_are_pair_effects_where_there_are_no_triples(records, rng):
    model = random_model(FM, rng)
    inputs, background, _ = records
    exact = group_measures.exact_interactions(model, inputs, background)
    np.testing.assert_allclose(exact, pair_effects(model, inputs, background), atol=1e-4)


def test_orders_of_a_model_without_interactions(records, rng):
    inputs, _, donors = records
    assert group_measures.orders_of(random_model(LR, rng), inputs, donors)["shares"] == [1, 0, 0]


def test_alpha_f_is_the_mean_of_the_records(records, rng):
    inputs, _, donors = records
    model = random_model(InterHAt, rng)
    weights = explain_inputs(model, inputs)["order_weights"]
    found = group_measures.orders_of(model, inputs, donors)
    assert np.ptp(weights, axis=0).max() > 0.01
    assert found["alpha_f"] == pytest.approx(weights.mean(axis=0).tolist(), abs=1e-4)


def test_a_planted_triple_is_looked_up_by_its_fields_numbers(records, rng, monkeypatch):
    inputs, background, _ = records
    # Of abc, abd, acd and bcd.
    monkeypatch.setattr(group_measures, "triple_effects", lambda *_: np.array([[0.0, 0, 9, 0]]))
    model = random_model(LR, rng)
    for group, found in (((1, 3, 4), True), ((1, 2, 3), False), ((2, 3, 4), False)):
        named = group_measures.triples_found(model, inputs, background, group)
        assert named["found"] is found
