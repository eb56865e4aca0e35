import keras
import numpy as np
import pytest

from experiments.faithfulness.methods import METHODS, attributions, magnitudes, shap_values
from interhat_tf import InterHAt
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.batches import predict
from interhat_tf.models import LR
from tests.conftest import random_batch


@pytest.mark.slow
def test_every_method_gives_a_number_a_field(schema, rng):
    model = InterHAt(schema, embedding_dim=4, order=2)
    inputs, background = random_batch(schema, rng, 5), random_batch(schema, rng, 3)
    found = attributions(model, inputs, background, seed=1)
    assert list(found) == list(METHODS)
    for name, values in found.items():
        assert values.shape == (5, 4) and np.isfinite(values).all(), name
        assert (magnitudes(name, values) >= 0).all(), name
    again = attributions(model, inputs, background, seed=1)
    np.testing.assert_array_equal(found["random"], again["random"])


@pytest.mark.slow
def test_shap_values_add_up_and_are_exact_for_a_linear_model(schema, rng):
    inputs, background = random_batch(schema, rng, 5), random_batch(schema, rng, 3)
    keras.utils.set_random_seed(1)
    linear = LR(schema)
    linear.set_weights([rng.normal(size=weight.shape) for weight in linear.weights])
    np.testing.assert_allclose(
        shap_values(linear, inputs, background, 0),
        occlusion(linear, inputs, background),
        atol=1e-4,
    )
    model = InterHAt(schema, embedding_dim=4, order=2, embeddings_initializer="random_normal")
    np.testing.assert_allclose(
        shap_values(model, inputs, background, 0).sum(axis=1),
        predict(model, inputs) - predict(model, background).mean(),
        atol=1e-4,
    )
