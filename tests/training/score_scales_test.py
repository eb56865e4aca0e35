"""Trainings of a model whose scores are of normalised features."""

import numpy as np

from interhat_tf.models import interhat
from tests.training.runs import make_model, run

SCALES = np.array([[0.2, 0.3, 0.4, 0.5], [0.6, 0.7, 0.8, 0.9]])  # of 2 orders and 4 fields


def test_only_a_training_from_the_start_begins_with_them(rule_data, tmp_path, monkeypatch):
    def train(name, scales, **how):
        def found(model, batches):
            assert sum(len(labels) for _, labels in batches) == rule_data.num_rows("train")
            return scales

        monkeypatch.setattr(interhat, "score_scales", found)
        model = make_model(rule_data.schema, self_attention=False, score_batch_norm=True)
        run(rule_data, tmp_path / name, model, max_epochs=1, learning_rate=1e-9, **how)
        gammas = [np.reshape(a.normalization.gamma, (4, 4)) for a in model.aggregations]
        np.testing.assert_allclose(gammas, SCALES[..., np.newaxis] * np.ones(4), atol=1e-5)

    train("first", SCALES)
    train("later", SCALES / 2, start_from=tmp_path / "first")
