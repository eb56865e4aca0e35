import json

import numpy as np

from interhat_tf.explanation.json_data import json_data
from tests.explanation.made import random_records
from tests.models.held_effects import FIDELITY


def test_each_record_has_all_of_it(rng):
    explanation = random_records(rng)
    data = json_data(explanation)
    assert data["attention"] is None
    assert data["field_names"] == ["a", "b", "c", "d"] and len(data["records"]) == 9
    for i, record in enumerate(data["records"]):
        assert record["probability"] == explanation.probabilities[i]
        assert (record["logit"], record["bias"]) == (explanation.logits[i], 0.5)
        assert record["sentence"] == explanation.sentences()[i]
        assert list(record["values"].items()) == [
            *zip("abcd", explanation.values[i].tolist(), strict=True)
        ]
        assert [tuple(fields) for fields in record["interaction_sets"]] == (
            explanation.interaction_sets()[i]
        )
        for name in ("order_weights", "field_weights", "contributions"):
            np.testing.assert_allclose(record[name], getattr(explanation, name)[i], atol=1e-6)
        assert "heads" not in record and "effects" not in record
    assert json.loads(json.dumps(data)) == data


def test_heads_and_effects_if_they_were_asked_for(rng):
    explanation = random_records(
        rng, heads=rng.dirichlet(np.ones(4), (9, 3, 4)), effects=rng.normal(size=(9, 4))
    )
    record = json_data(explanation)["records"][5]
    np.testing.assert_allclose(record["heads"], explanation.heads[5], atol=1e-6)
    np.testing.assert_allclose(record["effects"], explanation.effects[5], atol=1e-6)


def test_pairs_if_they_were_asked_for(rng):
    explanation = random_records(
        rng, pairs=np.tile([[0, 2], [1, 3]], (9, 1, 1)), pair_effects=rng.normal(size=(9, 2))
    )
    data = json_data(explanation)
    assert json.loads(json.dumps(data)) == data
    of_record = [
        {"fields": ["a", "c"], "effect": round(explanation.pair_effects[5, 0], 6)},
        {"fields": ["b", "d"], "effect": round(explanation.pair_effects[5, 1], 6)},
    ]
    of_record.sort(key=lambda pair: -abs(pair["effect"]))
    assert data["records"][5]["interactions"] == of_record
    assert "interactions" not in json_data(random_records(rng))["records"][0]


def test_no_record():
    assert json_data(random_records(np.random.default_rng(0), records=0))["records"] == []


def test_how_exact_estimated_effects_are_is_said(rng):
    explanation = random_records(rng, effects=rng.normal(size=(9, 4)), effect_fidelity=FIDELITY)
    assert json_data(explanation)["effect_fidelity"] == FIDELITY
    assert "effect_fidelity" not in json_data(random_records(rng))
