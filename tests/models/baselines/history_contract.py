"""What models promise that read a history by its candidate."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Field, Schema
from interhat_tf.models import MODELS
from interhat_tf.training.optimizers import Adam
from tests.conftest import random_batch
from tests.layers import reference
from tests.models.baselines.contract import DeepContract
from tests.models.held_effects import with_effects
from tests.numpy_reference import dense, inside, weights_of

MOVIE = Field("movie", "categorical", 7)
HISTORY = Field("history", "sequence", 7, max_length=5, shares="movie")
FIELDS = [
    Field("user", "categorical", 4),
    MOVIE,
    Field("price", "numerical"),
    Field("genres", "multivalued", 3, max_length=2),
    HISTORY,
]


def lists_of(rng, rows, size, length):
    """Random lists of none to `length` values, of which record 1 has none and record 2 all."""
    ends = rng.integers(0, length + 1, (rows, 1))
    ends[1:3] = [[0], [length]]
    return np.where(np.arange(length) < ends, rng.integers(0, size, (rows, length)), -1)


def records(rng, rows=16):
    lists = [lists_of(rng, rows, 3, 2), lists_of(rng, rows, 7, 5)]
    return {
        **random_batch(Schema(FIELDS[:3]), rng, rows),
        "multivalued": np.concatenate(lists, axis=1).astype("int32"),
    }


class HistoryContract(DeepContract):
    """Of the models that read a history; `read` is the paper's way, for a record.

    `of_paper` is the number of weights of the reader, of embeddings of size 4.
    """

    arguments = {"embedding_dim": 4, "mlp_units": (6, 5), "mlp_activation": "relu"}
    of_paper: int

    def read(self, values, target, weights):
        """Returns the vector of a history, of its values (n, d)."""
        raise NotImplementedError

    @pytest.fixture
    def schema(self):
        return Schema(FIELDS)

    @pytest.fixture
    def batch(self, rng):
        return records(rng)

    # What the model computes.

    def test_equals_numpy(self, schema, batch):
        model = self.make(schema)
        weights = weights_of(model)
        table = weights["embedding/table"]  # user, movie and history, genres
        rows = []
        for i in range(16):
            user, movie = batch["categorical"][i]
            genres, history = np.split(batch["multivalued"][i], [2])
            target, genres = table[4 + movie], table[11 + genres[genres >= 0]]
            price = batch["numerical"][i].astype("float64") * weights["embedding/numerical_table"]
            of_genres = genres.mean(axis=0) if len(genres) else np.zeros(4)
            reader = inside(weights, "embedding/pooling_1")
            v = self.read(table[4 + history[history >= 0]], target, reader)
            rows.append(np.concatenate([table[user], target, price[0], of_genres, v]))
        hidden = reference.mlp(np.stack(rows), inside(weights, "mlp"), 2)
        expected = dense(hidden, weights, "logit")
        np.testing.assert_allclose(model(batch), expected, rtol=1e-4, atol=1e-4)
        assert np.std(expected) > 0.01

    def test_takes_a_record_of_one_field(self):
        model = self.make(Schema([MOVIE, HISTORY]))
        histories = np.array([[1, 2, -1, -1, -1], [2, 2, 2, 2, 2], [-1] * 5])
        inputs = {"categorical": np.zeros((3, 1), int), "multivalued": histories}
        assert len(np.unique(model(inputs))) == 3

    def test_number_of_parameters_follows_the_formula(self, schema):
        # A history has the rows of what it shares.
        model = self.build(schema)
        of_mlp = 5 * 4 * 6 + 6 + 6 * 5 + 5 + 5 + 1
        assert model.count_params() == (4 + 7 + 1 + 3) * 4 + self.of_paper + of_mlp
        # Alpha and two moving statistics of each hidden unit.
        with_dice = self.build(schema, mlp_activation="dice")
        assert with_dice.count_params() == model.count_params() + 3 * (6 + 5)

    def test_learns_a_planted_pair_if_it_has_interactions(self):
        """Clicks are of those records whose movie is in the history."""
        rng, schema = np.random.default_rng(0), Schema([MOVIE, HISTORY])
        inputs = {
            "categorical": rng.integers(0, 7, (300, 1)),
            "multivalued": lists_of(rng, 300, 7, 5).astype("int32"),
        }
        clicks = (inputs["multivalued"] == inputs["categorical"]).any(axis=1).astype("float32")
        model = self.build(schema, embedding_dim=8, mlp_units=(16,))
        model.compile(Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
        model.fit(inputs, clicks, batch_size=100, epochs=60, verbose=0)
        assert ((model.predict(inputs, verbose=0)[:, 0] > 0) == clicks).mean() > 0.95

    def test_padding_changes_nothing(self, schema, batch):
        """Neither its number nor what its vectors are; nor does anything else of the batch."""
        model = self.make(schema)
        longer = Field("history", "sequence", 7, max_length=8, shares="movie")
        other = self.make(Schema([*FIELDS[:4], longer]))
        other.set_weights(model.get_weights())
        padded = np.pad(batch["multivalued"], ((0, 0), (0, 3)), constant_values=-1)
        found = other({**batch, "multivalued": padded})
        np.testing.assert_allclose(found, model(batch), rtol=1e-5, atol=1e-6)
        one = {kind: values[1:2] for kind, values in batch.items()}  # without any
        np.testing.assert_allclose(model(one), model(batch)[1:2], rtol=1e-5, atol=1e-6)
        assert np.isfinite(model(batch, training=True)).all()

    def test_the_candidate_counts_in_the_history(self, schema, batch):
        model = self.make(schema)
        fields = [model.embedding(inputs) for inputs in (batch, _other_movies(batch))]
        changed = np.abs(fields[0] - fields[1]).max(axis=2) > 1e-5  # (B, m)
        lengths = (batch["multivalued"][:, 2:] >= 0).sum(axis=1)
        assert changed[:, 1].all() and not changed[:, [0, 2, 3]].any()
        assert changed[lengths > 1, 4].mean() > 0.5 and not changed[lengths == 0, 4].any()

    def test_compiled_prediction_of_any_number_of_rows(self, schema, batch):
        model = self.make(schema)
        specs = {
            "categorical": tf.TensorSpec((None, 2), "int32"),
            "numerical": tf.TensorSpec((None, 1), "float32"),
            "multivalued": tf.TensorSpec((None, 7), "int32"),
        }
        traced = tf.function(model, input_signature=[specs], autograph=False)
        as_prepared = {**batch, "categorical": batch["categorical"].astype("int32")}
        for rows in (16, 3, 0):
            some = {kind: values[:rows] for kind, values in as_prepared.items()}
            np.testing.assert_allclose(traced(some), model(some), rtol=1e-4, atol=1e-4)

    def test_xla_compiles_it(self, schema, batch):
        model = self.make(schema)
        compiled = tf.function(model, jit_compile=True, autograph=False)
        np.testing.assert_allclose(compiled(batch), model(batch), rtol=1e-4, atol=1e-4)

    # What models of the registry promise on any schema.

    def test_summary_and_output_shape(self, schema, batch):
        model = self.build(schema)
        model(batch)
        lines = []
        model.summary(print_fn=lines.append)
        assert f"Total params: {model.count_params():,}" in "\n".join(lines)
        assert "?" not in "\n".join(lines), "an output shape is not known"
        shapes = {kind: (None, values.shape[1]) for kind, values in batch.items()}
        assert model.compute_output_shape(shapes) == (None, 1)

    def test_can_hold_a_head(self, schema, batch):
        model = with_effects(self.make(schema))
        found = model.explain_effects(batch)
        assert found["effects"].shape == (16, 5) and np.std(found["effects"]) > 0
        np.testing.assert_allclose(found["logits"], model(batch)[:, 0], rtol=1e-4, atol=1e-6)

    # What is refused.

    @pytest.mark.parametrize("fields", [FIELDS[:3], FIELDS[:4]])
    def test_a_schema_without_a_history(self, fields):
        own = Field("seen", "sequence", 9, max_length=5)
        of_genres = Field("liked", "sequence", 3, max_length=5, shares="genres")
        more = [own, of_genres] if len(fields) == 4 else [own]
        with pytest.raises(ValueError, match=r"compares a history.*Field\('history'.*such as dnn"):
            MODELS[self.name](Schema([*fields, *more]))

    def test_another_pooling_of_its_history(self, schema):
        with pytest.raises(ValueError, match=r"pooling names 'history', which DI.* leave it out"):
            self.build(schema, pooling={"history": "max"})
        model = self.build(schema, pooling={"genres": "max"})
        assert model.pooling == ["max", "target"]


def _other_movies(batch):
    movies = (batch["categorical"] + [0, 1]) % [4, 7]
    return {**batch, "categorical": movies}
