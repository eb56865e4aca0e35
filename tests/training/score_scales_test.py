"""Trainings of a model whose scores are of normalised features."""

import numpy as np

from interhat_tf.models.score_scales import varying_shares
from tests.training.runs import make_model, run


def scales(model):
    return np.stack([np.reshape(a.normalization.gamma, (4, 4)) for a in model.aggregations])


def test_a_training_begins_with_scales_that_fit_how_much_fields_vary(rule_data, tmp_path):
    arguments = {"self_attention": False, "score_batch_norm": True}
    model = make_model(rule_data.schema, **arguments)
    records = rule_data.evaluation_batches("train", 1000)
    shares = varying_shares(model, records)  # (2, 4)
    still = {"max_epochs": 1, "learning_rate": 1e-9}
    run(rule_data, tmp_path / "first", model, **still)
    expected = np.repeat(np.sqrt(shares)[..., np.newaxis], 4, axis=-1)
    np.testing.assert_allclose(scales(model), expected, atol=1e-4)
    assert scales(model).min() < 0.98

    later = make_model(rule_data.schema, seed=1, **arguments)
    run(rule_data, tmp_path / "later", later, start_from=tmp_path / "first", **still)
    np.testing.assert_allclose(scales(later), scales(model), atol=1e-4)
    of_later = varying_shares(make_model(rule_data.schema, seed=1, **arguments), records)
    assert np.abs(np.sqrt(of_later) - np.sqrt(shares)).max() > 0.01
