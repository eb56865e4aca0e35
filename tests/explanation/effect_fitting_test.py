import keras
import numpy as np
import pytest

from interhat_tf import InterHAt, explain_records
from interhat_tf.explanation import effect_fitting, fit_effects
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.effect_fidelity import agreement
from interhat_tf.explanation.interactions import pair_effects
from interhat_tf.explanation.sampled_shapley import sampled_shapley_values
from interhat_tf.explanation.selection import first_records
from interhat_tf.models import FM, LR
from tests.models.registry_test import MODELS_OF_ANY, build_small
from tests.numpy_reference import randomise

EPOCHS = 20
"""Of 6 batches each."""


def random_model(data, make=FM, **arguments):
    """A model whose weights are large, so that fields and pairs matter."""
    return randomise(make(data.schema, **{"embedding_dim": 3, **arguments}))


@pytest.fixture(scope="module")
def fitted(rule_data):
    """A model, what fitting its effects returned, and its weights before that."""
    keras.utils.set_random_seed(0)
    model = random_model(rule_data)
    before = model.get_weights()
    return model, fit_effects(model, rule_data, pairs=True, epochs=EPOCHS), before


def test_effects_and_pair_effects_agree_with_exact_ones(fitted, rule_data):
    model, fidelity, _ = fitted
    assert fidelity["r2"] > 0.9 and fidelity["rank_correlation"] > 0.8
    assert fidelity["pair_r2"] > 0.5 and fidelity["pair_rank_correlation"] > 0.5
    sizes = {"kind": "occlusion", "records": 128, "background": 128, "pairs": 6}
    assert fidelity.items() >= sizes.items()
    # The very figures, from the model that holds the head.
    inputs, background = (first_records(rule_data, s, 128) for s in ("validation", "train"))
    found = model.explain_effects(inputs)
    of_fields = agreement(found["effects"], occlusion(model, inputs, background))
    of_pairs = agreement(found["pair_effects"], pair_effects(model, inputs, background))
    assert of_fields["r2"] == pytest.approx(fidelity["r2"], abs=1e-4)
    assert of_pairs["r2"] == pytest.approx(fidelity["pair_r2"], abs=1e-4)


def test_the_model_holds_them_and_stays_as_it_was(fitted):
    model, fidelity, before = fitted
    assert model.diagnosis["effects"] == fidelity
    for weight, earlier in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, earlier)


def test_shapley_values_agree_with_sampled_ones(rule_data):
    model = random_model(rule_data)
    fidelity = fit_effects(model, rule_data, "shapley", epochs=EPOCHS)
    assert fidelity["kind"] == "shapley" and fidelity["r2"] > 0.85
    inputs, background = (first_records(rule_data, s, 128) for s in ("validation", "train"))
    exact = sampled_shapley_values(model, inputs, background)
    found = model.explain_effects(inputs)["effects"]
    assert np.corrcoef(np.ravel(found), np.ravel(exact))[0, 1] > 0.9


def test_the_sum_of_terms_has_its_effects_exactly(rule_data):
    model = randomise(LR(rule_data.schema))
    fidelity = fit_effects(model, rule_data, epochs=EPOCHS)
    assert fidelity["r2"] > 0.97 and "pair_r2" not in fidelity


@pytest.mark.parametrize("value_dim", [None, 5])
def test_explanations_have_effects_without_a_background(rule_data, value_dim):
    model = random_model(rule_data, InterHAt, order=2, num_heads=2, value_dim=value_dim)
    inputs = first_records(rule_data, "test", 50)
    model.adapt([inputs])
    before = explain_records(model, inputs)
    assert before.effects is None and before.effects_note() == ""
    fidelity = fit_effects(model, rule_data, epochs=EPOCHS)
    assert fidelity["r2"] > 0.5
    explanation = explain_records(model, inputs)
    np.testing.assert_allclose(
        explanation.effects, model.explain_effects(inputs)["effects"], rtol=1e-4, atol=1e-4
    )
    assert explanation[[3]].effect_fidelity == fidelity
    background = first_records(rule_data, "train", 4)
    exact = explain_records(model, inputs, background=background)
    np.testing.assert_allclose(exact.effects, occlusion(model, inputs, background), atol=1e-4)
    assert exact.effect_fidelity is None


def test_fitting_again_begins_with_fresh_weights(rule_data):
    model = random_model(rule_data)
    keras.utils.set_random_seed(1)
    first = fit_effects(model, rule_data, epochs=1)
    head = model.effect_head
    keras.utils.set_random_seed(1)
    assert fit_effects(model, rule_data, epochs=1) == first
    assert model.effect_head is not head
    for weight, earlier in zip(model.effect_head.get_weights(), head.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, earlier)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS_OF_ANY)
def test_every_model_learns(name, rule_data):
    model = build_small(name, rule_data.schema)
    assert fit_effects(model, rule_data, epochs=EPOCHS)["r2"] > 0.2


@pytest.mark.parametrize(
    ("smallest", "a_field", "epochs", "steps"),
    # An epoch has 6 batches, of 4 fields.
    [(1, 1, None, 6), (31, 1, None, 36), (1, 4, None, 18), (31, 1, 3, 18)],
)
def test_few_records_are_read_more_often(rule_data, monkeypatch, smallest, a_field, epochs, steps):
    taken = []
    monkeypatch.setattr(effect_fitting, "STEPS", smallest)
    monkeypatch.setattr(effect_fitting, "STEPS_A_FIELD", a_field)
    monkeypatch.setattr(effect_fitting, "_compile_step", lambda *_: taken.append)
    monkeypatch.setattr(effect_fitting, "effect_fidelity", lambda *_: {"r2": 1.0})
    fit_effects(random_model(rule_data), rule_data, epochs=epochs)
    assert len(taken) == steps


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "lime"}, r"kind must be one of occlusion, shapley; got 'lime'"),
        ({"kind": "shapley", "pairs": True}, r"pairs=True needs 'occlusion'"),
    ],
)
def test_what_cannot_be_fitted(rule_data, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_effects(random_model(rule_data), rule_data, **arguments)


def test_too_few_records_and_other_records(rule_data, schema, monkeypatch):
    with pytest.raises(ValueError, match="not that of the data set synthetic_rules/small"):
        fit_effects(LR(schema), rule_data)
    monkeypatch.setattr(effect_fitting, "BATCH_SIZE", 3_201)
    with pytest.raises(ValueError, match=r"3201 train records at least; .* has 3200"):
        fit_effects(LR(rule_data.schema), rule_data)
