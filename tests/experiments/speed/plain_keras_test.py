import numpy as np
import pytest

from experiments.speed.paper_sizes import Size, batches_of, schema_of
from experiments.speed.plain_keras import plain_interhat
from interhat_tf.models import InterHAt
from interhat_tf.models.presets import hyperparameters


@pytest.mark.parametrize("preset", ["released", "paper"])
def test_plain_keras_is_the_same_model(preset):
    schema = schema_of(Size(categories=5, numbers=0, features=60, epoch_rows=0))
    arguments, _ = hyperparameters("criteo", preset)
    plain, ours = plain_interhat(schema, **arguments), InterHAt(schema, **arguments)
    assert plain.count_params() == ours.count_params()
    rng = np.random.default_rng(0)
    for weight in ours.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.3)
    # Layers come in the same order, though weights within a layer may not.
    left = ours.get_weights()
    for weight in plain.weights:
        place = next(i for i, value in enumerate(left) if value.shape == tuple(weight.shape))
        weight.assign(left.pop(place))
    inputs, _ = next(iter(batches_of(schema, 7, 1)))
    np.testing.assert_allclose(plain(inputs), ours(inputs), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sum(plain.losses), sum(ours.losses), rtol=1e-5)
