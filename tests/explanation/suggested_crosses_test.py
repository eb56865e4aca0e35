import keras
import numpy as np
import pytest

from interhat_tf import Cross, TrainingSettings, train
from interhat_tf.explanation.suggested_crosses import suggest_crosses
from interhat_tf.models import FM

SETTINGS = TrainingSettings(batch_size=100, learning_rate=0.02, max_epochs=3)


@pytest.fixture(scope="module")
def trained(rule_data, tmp_path_factory):
    """A model that was trained on a log whose clicks follow f1 and f2 together."""
    keras.utils.set_random_seed(3)
    model = FM(rule_data.schema, embedding_dim=4)
    train(model, rule_data, tmp_path_factory.mktemp("runs") / "fm", SETTINGS, test=False)
    return model


def test_names_the_planted_pair(trained, rule_data):
    first, second, *rest = suggest_crosses(trained, rule_data, records=200, background=16)
    assert first.fields == ("f1", "f2")
    assert first.strength > 2 * second.strength > 0
    assert len(rest) == 4
    strengths = [cross.strength for cross in (first, second, *rest)]
    assert strengths == sorted(strengths, reverse=True)


def test_counts_are_those_of_the_training_rows(trained, rule_data):
    (cross,) = suggest_crosses(trained, rule_data, top=1, records=50, background=4, min_count=190)
    rows = [batch["categorical"] for batch, _ in rule_data.evaluation_batches("train", 9_999)]
    _, counts = np.unique(np.concatenate(rows)[:, :2], axis=0, return_counts=True)
    assert cross.combinations == len(counts) == 16
    assert 1 < cross.vocabulary_size == 1 + (counts >= 190).sum() < 17
    assert cross.coverage == counts[counts >= 190].sum() / 3_200
    crossed = rule_data.with_crosses([Cross(cross.fields, min_count=190)])
    assert crossed.schema.crosses[0].vocabulary_size == cross.vocabulary_size
    assert str(cross).startswith("f1 x f2: ")


def test_leaves_out_the_crosses_that_the_model_has(rule_data):
    model = FM(rule_data.with_crosses([("f2", "f1")]).schema)
    found = suggest_crosses(model, rule_data, records=20, background=2)
    assert len(found) == 5
    assert all(set(cross.fields) != {"f1", "f2"} for cross in found)


def test_a_model_of_other_records_is_refused(schema, rule_data):
    with pytest.raises(ValueError, match="not that of the data set synthetic_rules/small"):
        suggest_crosses(FM(schema), rule_data)
