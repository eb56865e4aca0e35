import numpy as np
import pytest

from experiments.faithfulness.methods import METHODS, attributions, magnitudes, with_base
from interhat_tf import InterHAt
from interhat_tf.explanation.batches import explain_inputs
from tests.conftest import random_batch


@pytest.mark.slow
def test_every_method_gives_a_number_a_field(schema, rng):
    model = InterHAt(schema, embedding_dim=4, order=2)
    inputs, background = random_batch(schema, rng, 5), random_batch(schema, rng, 3)
    found = attributions(model, inputs, background, seed=1)
    assert set(METHODS) - set(found) == {"effects", "tree_shap", "ebm", "constant"}
    for name, values in found.items():
        assert values.shape == (5, 4) and np.isfinite(values).all(), name
        assert (magnitudes(name, values) >= 0).all(), name
    again = attributions(model, inputs, background, seed=1)
    np.testing.assert_array_equal(found["random"], again["random"])


@pytest.mark.parametrize("own", ["zero", "average"])
def test_contributions_from_a_base(schema, rng, own):
    model = InterHAt(schema, embedding_dim=4, order=2, contribution_base=own)
    inputs, background = random_batch(schema, rng, 5), random_batch(schema, rng, 3)
    model.adapt([inputs])  # another average
    for base in ("zero", "average"):
        expected = InterHAt.from_config({**model.get_config(), "contribution_base": base})
        for weight, other in zip(expected.trainable_weights, model.trainable_weights, strict=True):
            weight.assign(other)
        expected.adapt([background])
        np.testing.assert_allclose(
            explain_inputs(with_base(model, base, background), inputs)["contributions"],
            explain_inputs(expected, inputs)["contributions"],
            atol=1e-6,
        )


def test_effects_are_a_method_of_models_that_hold_a_head(schema, rng):
    model = InterHAt(schema, embedding_dim=4, order=2)
    inputs, background = random_batch(schema, rng, 5), random_batch(schema, rng, 3)
    assert "effects" not in attributions(model, inputs, background, seed=1)
    model.hold_effects(model.make_effect_head({}), {})
    assert attributions(model, inputs, background, seed=1)["effects"].shape == (5, 4)
