"""Tests that a trained model's mean predictions are right, also of unknown values."""

import keras
import numpy as np
import pytest

from interhat_tf import InterHAt
from interhat_tf.calibration import probability
from interhat_tf.models import FM
from interhat_tf.training import TrainingSettings, align_attention, train
from interhat_tf.training.mean_predictions import STEPS, _UnknownVectors, correct_means
from tests.training.weighted_logs import make_columns, prepare_columns

SIZES = {"embedding_dim": 4, "value_dim": 8, "mlp_units": (8,), "order": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_columns(tmp_path_factory.mktemp("log"), make_columns())


def make_model(data, kind=InterHAt, seed=0):
    """A model that predicts too much, otherwise for unknown values."""
    keras.utils.set_random_seed(seed)
    model = kind(data.schema, **(SIZES if kind is InterHAt else {"embedding_dim": 4}))
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(variable + random.normal(0.1, 0.3, variable.shape))
    return model


def means(model, data):
    """The mean prediction of the training records, and with each field unknown, less the rate."""
    inputs, labels, *weights = next(data.evaluation_batches("train", 10**6).as_numpy_iterator())
    weights = weights[0] if weights else np.ones(len(labels))
    found = [np.average(probability(logits_of(model, inputs)), weights=weights)]
    for column in range(len(data.schema.categorical)):
        ids = inputs["categorical"].copy()
        ids[:, column] = 0
        unknown = probability(logits_of(model, {"categorical": ids}))
        found.append(np.average(unknown, weights=weights))
    return np.array(found) - np.average(labels, weights=weights)


def logits_of(model, inputs):
    return np.asarray(model(inputs), "float64")[:, 0]  # without a function to compile


@pytest.mark.parametrize("kind", [InterHAt, FM])
def test_means_are_the_rate_also_where_a_value_is_unknown(data, kind):
    model = make_model(data, kind)
    inputs, *_ = next(data.evaluation_batches("test", 10**6).as_numpy_iterator())
    before, logits = means(model, data), logits_of(model, inputs)
    assert (np.abs(before) > 0.02).all()
    tables = {v.path: np.array(v) for v in model.trainable_variables}
    correct_means(model, data, TrainingSettings())
    found = means(model, data)
    assert abs(found[0]) < 1e-5
    assert (np.abs(found[1:]) < 0.02).all()  # a third of the records had each unknown
    shift = logits_of(model, inputs) - logits
    np.testing.assert_allclose(shift, shift[0], atol=1e-5)  # no record is ranked otherwise
    unknown = np.zeros(len(data.schema.vocabulary_sizes), int)
    unknown[1:] = np.cumsum(data.schema.vocabulary_sizes)[:-1]
    for variable in model.trainable_variables:
        if len(variable.shape) == 2 and variable.shape[0] == sum(data.schema.vocabulary_sizes):
            moved = np.flatnonzero((np.array(variable) != tables[variable.path]).any(axis=1))
            assert moved.tolist() == unknown.tolist()


@pytest.mark.parametrize(
    ("errors", "measured", "best"), [([0.01, 0.01], STEPS + 1, [1, 2]), ([0.5, 0.5], 1, [0, 0])]
)
def test_of_each_field_the_best_is_kept_and_chance_moves_nothing(errors, measured, best):
    class Scripted(_UnknownVectors):
        fields, rows = np.arange(2), ["a table"]

        def __init__(self):
            self.steps, self.vectors = 0, [np.zeros((2, 1))]

        def _measure(self):
            self.steps += 1
            too_much = ([0.3, -0.2], [0.1, 0.4], [0.2, 0.02])[min(self.steps, 3) - 1]
            seen.append(self.vectors[0].copy())
            return np.array(too_much), np.array(errors), [np.ones((2, 1))]

        def _read(self):
            return self.vectors

        def _write(self, vectors):
            self.vectors = vectors

    seen, vectors = [], Scripted()
    vectors.correct()
    assert vectors.steps == measured
    np.testing.assert_array_equal(
        vectors.vectors[0][:, 0], [seen[b][f, 0] for f, b in enumerate(best)]
    )


def test_weights_count(tmp_path):
    columns = make_columns()
    columns["weight"] = np.where(columns["click"] == 1, 3.0, 0.5)
    data = prepare_columns(tmp_path, columns, weight="weight")
    model = make_model(data, FM)
    correct_means(model, data, TrainingSettings())
    found = means(model, data)
    assert abs(found[0]) < 1e-5 and (np.abs(found[1:]) < 0.02).all()


def test_means_are_those_of_the_loss(tmp_path):
    """Of sampled negatives in the log as it is, and with the weight of clicks."""
    columns = make_columns()
    data = prepare_columns(tmp_path, columns, negative_sampling_rate=0.25)
    model = make_model(data, FM)
    correct_means(model, data, TrainingSettings(positive_weight=2.0))
    inputs, labels, *_ = next(data.evaluation_batches("train", 10**6).as_numpy_iterator())
    differences = probability(logits_of(model, inputs) - np.log(0.25)) - labels
    assert abs(np.average(differences, weights=1 + labels)) < 1e-5
    assert abs(differences.mean()) > 0.01


def test_no_table_is_read_or_written_as_a_whole(data, monkeypatch):
    model = make_model(data)
    before = np.array(model.embedding.table)
    of_all = model.embedding.table.shape[0]

    def of_rows(function):
        def wrapped(variable, *arguments, **options):
            assert variable.shape[:1] != (of_all,), "a whole table"
            return function(variable, *arguments, **options)

        return wrapped

    with monkeypatch.context() as patch:
        for name in ("assign", "numpy", "__array__"):
            function = getattr(type(model.embedding.table), name)
            patch.setattr(type(model.embedding.table), name, of_rows(function))
        correct_means(model, data, TrainingSettings())
    assert (np.array(model.embedding.table) != before).any()


def test_fields_without_effect_are_left_alone(data):
    model = make_model(data)
    model.embedding.table.assign(0 * model.embedding.table)
    correct_means(model, data, TrainingSettings())
    assert not np.array(model.embedding.table).any()


def test_training_and_alignment_end_with_it(data, tmp_path):
    settings = {"max_epochs": 1, "batch_size": 100, "ema_momentum": 0.9}
    for share in (0.05, 0.0):
        model = make_model(data, FM)
        settings["unknown_share"] = share
        train(model, data, tmp_path / str(share), TrainingSettings(**settings), test=False)
        assert (abs(means(model, data)[0]) < 1e-5) == (share > 0)
    model = make_model(data)
    assert abs(means(model, data)[0]) > 0.02
    align_attention(model, data, epochs=1, **{**settings, "unknown_share": 0.05})
    assert abs(means(model, data)[0]) < 1e-5
