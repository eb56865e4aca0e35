"""What every model that InterHAt is compared with promises; a model's test file derives from it."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Field, Schema
from interhat_tf.models import MODELS
from interhat_tf.training.optimizers import Adam
from tests.conftest import random_batch
from tests.layers import reference
from tests.numpy_reference import dense, field_embedding, inside, randomise, weights_of

MLP = {"mlp_units": (6, 5)}


class Parts:
    """What a paper's equation is made of, in NumPy and double precision."""

    def __init__(self, batch, weights, vocabulary_sizes):
        self.weights = weights
        batch = {
            kind: v.astype("float64") if v.dtype.kind == "f" else v for kind, v in batch.items()
        }
        if linear := self.of("linear"):
            self.linear = reference.first_order(batch, linear, vocabulary_sizes)  # (B, 1)
        if embedding := self.of("embedding"):
            self.fields = field_embedding(batch, embedding, vocabulary_sizes)  # (B, m, d)
            self.flat = np.concatenate(list(self.fields.swapaxes(0, 1)), axis=1)  # (B, m * d)

    def of(self, layer):
        return inside(self.weights, layer)

    def deep(self, inputs):
        return reference.mlp(inputs, self.of("mlp"), 2)

    def logit(self, inputs, layer="logit"):
        return dense(inputs, self.weights, layer)


class Sizes:
    """Of n values and numerical fields in m fields: what the papers count weights by."""

    def __init__(self, n, m, d=4):
        self.n, self.m, self.d = n, m, d
        self.width, self.pairs = m * d, m * (m - 1) // 2
        self.embeddings = n * d

    def deep(self, inputs):
        """Weights of the MLP of `MLP`, and of the logit on it."""
        first, second = MLP["mlp_units"]
        return inputs * first + first + first * second + second + second + 1


class ModelContract:
    """The tests of a model by its name in the registry.

    A class of tests gives `name`, the small `arguments` to test with, and the
    paper's equation and count of weights.
    """

    name: str
    arguments: dict
    penalties = {"embedding_l2": 0.1}
    changed = {"embeddings_initializer": keras.initializers.RandomNormal(stddev=0.1, seed=1)}
    learns_pairs = True
    statistics = 0  # weights that are moving statistics

    def equation(self, parts):
        """Returns the logits, (B, 1)."""
        raise NotImplementedError

    def parameters(self, sizes):
        """Returns the number of weights."""
        raise NotImplementedError

    def build(self, schema, **arguments):
        return MODELS[self.name](schema, **{**self.arguments, **arguments})

    def make(self, schema, **arguments):
        return randomise(self.build(schema, **arguments))

    # What the model computes.

    @pytest.mark.parametrize("kind", ["mixed", "categorical", "numerical"])
    def test_equals_numpy(self, schema, batch, kind):
        if kind != "mixed":
            schema, batch = Schema(getattr(schema, kind)), {kind: batch[kind]}
        model = self.make(schema)
        expected = self.equation(Parts(batch, weights_of(model), schema.vocabulary_sizes))
        assert expected.shape == model(batch).shape == (16, 1)
        np.testing.assert_allclose(model(batch), expected, rtol=1e-4, atol=1e-4)
        assert np.std(expected) > 0.01, "constant logits prove nothing"

    def test_takes_a_record_of_one_field(self):
        model = self.make(Schema([Field("app", "categorical", 5)]))
        logits = model({"categorical": np.arange(5)[:, None]})
        assert np.isfinite(logits).all()
        assert len(np.unique(logits)) == 5

    def test_number_of_parameters_follows_the_formula(self, schema):
        assert self.build(schema).count_params() == self.parameters(Sizes(n=7 + 4 + 2, m=4))
        categorical = Schema(schema.categorical)
        assert self.build(categorical).count_params() == self.parameters(Sizes(n=7 + 4, m=2))

    def test_learns_a_planted_pair_if_it_has_interactions(self):
        """Clicks are the exclusive or of two fields: no sum of single fields predicts them."""
        schema = Schema(Field(f"f{i}", "categorical", 2) for i in range(3))
        records = {"categorical": np.stack(np.indices((2, 2, 2)), -1).reshape(-1, 3)}
        clicks = (records["categorical"][:, :1] ^ records["categorical"][:, 1:2]).astype("float32")
        model, loss = self.build(schema), keras.losses.BinaryCrossentropy(from_logits=True)
        optimizer = Adam(0.05)
        optimizer.build(model.trainable_variables)

        @tf.function
        def train():
            for _ in tf.range(200):
                with tf.GradientTape() as tape:
                    logloss = loss(clicks, model(records, training=True))
                gradients = tape.gradient(logloss, model.trainable_variables)
                optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

        train()
        logloss = float(loss(clicks, model(records)))
        assert logloss < 0.1 if self.learns_pairs else logloss > 0.69

    def test_every_weight_gets_a_gradient(self, schema, batch):
        """A weight that training never moves is a weight that the equations do not use."""
        model = self.make(schema)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(model(batch, training=True)))
        gradients = tape.gradient(loss, model.trainable_variables)
        assert len(gradients) == len(model.weights) - self.statistics
        for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
            assert gradient is not None, weight.path
            assert np.abs(tf.convert_to_tensor(gradient)).max() > 1e-6, weight.path

    def test_each_l2_penalises_its_own_weights(self, schema, batch):
        model = self.make(schema, **self.penalties)
        model(batch)
        expected = 0
        for path, values in weights_of(model).items():
            if path == "linear/bias" or "moving_" in path:
                continue
            table = path.startswith(("embedding/", "linear/weights/")) and path.endswith("table")
            expected += self.penalties["embedding_l2" if table else "dense_l2"] * (values**2).sum()
        np.testing.assert_allclose(float(sum(model.losses)), expected, rtol=1e-4)
        assert not self.make(schema).losses

    # Configuration and saving, Keras' own ways.

    def assert_copies(self, schema, batch, copy):
        model = self.build(schema, **{**self.changed, "embedding_l2": 0.1})
        same = copy(model)
        same.set_weights(model.get_weights())
        np.testing.assert_array_equal(same(batch), model(batch))
        np.testing.assert_allclose(sum(same.losses), sum(model.losses), rtol=1e-6)
        assert same.schema == schema
        assert same.get_config() == model.get_config()

    def test_copies_from_the_configuration_alone(self, schema, batch):
        self.assert_copies(
            schema,
            batch,
            lambda model: type(model).from_config(json.loads(json.dumps(model.get_config()))),
        )

    def test_saved_model_loads(self, schema, batch, tmp_path):
        model = self.make(schema, embedding_l2=0.1)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert type(loaded) is type(model)
        assert loaded.schema == schema
        np.testing.assert_array_equal(loaded(batch), model(batch))
        np.testing.assert_allclose(sum(loaded.losses), sum(model.losses), rtol=1e-6)

    def test_compiled_prediction_of_any_number_of_rows(self, rng):
        """As a saved model's signature calls it: the number of rows is not known when traced."""
        schema = Schema([Field("app", "categorical", 7), Field("price", "numerical")])
        batch, model = random_batch(schema, rng), self.make(schema)
        specs = {
            "categorical": tf.TensorSpec((None, 1), "int32"),
            "numerical": tf.TensorSpec((None, 1), "float32"),
        }
        traced = tf.function(model, input_signature=[specs], autograph=False)
        as_prepared = {**batch, "categorical": batch["categorical"].astype("int32")}
        np.testing.assert_allclose(traced(as_prepared), model(batch), rtol=1e-4, atol=1e-4)

    # Other types of numbers.

    def test_double_precision_all_the_way(self, schema, batch):
        exact, double = self.make(schema), self.make(schema, dtype="float64")
        double.set_weights(exact.get_weights())
        logits = double(batch)
        assert keras.backend.standardize_dtype(logits.dtype) == "float64"
        assert {w.dtype for w in double.weights} == {"float64"}
        np.testing.assert_allclose(logits, exact(batch), rtol=1e-6, atol=1e-5)

    def test_half_precision_gives_float32_logits_near_the_exact_ones(self, schema, batch):
        batch = {**batch, "numerical": np.round(batch["numerical"] * 4) / 4}  # Exact in bfloat16.
        exact, half = self.make(schema), self.make(schema, dtype="mixed_bfloat16")
        logits, expected = half(batch), exact(batch)
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"
        assert {w.dtype for w in half.weights} == {"float32"}
        np.testing.assert_allclose(logits, expected, atol=0.03 * np.abs(expected).max() + 0.05)


class DropoutContract(ModelContract):
    """Of models that drop units in training and penalise weights other than the tables'."""

    penalties = {"embedding_l2": 0.1, "dense_l2": 0.01}

    def test_dropout_acts_in_training_only(self, schema, batch):
        model = self.make(schema, dropout=0.5)
        np.testing.assert_array_equal(model(batch), model(batch))
        assert not np.allclose(model(batch, training=True), model(batch, training=True))


class DeepContract(DropoutContract):
    """Of models with an MLP."""

    arguments = {"embedding_dim": 4, **MLP}
    normalised = MLP["mlp_units"]
    changed = {**ModelContract.changed, "dropout": 0.2, "batch_norm": True, "dense_l2": 0.01}

    def test_batch_norm_reaches_the_mlp(self, schema, batch):
        model = self.build(schema, batch_norm=True)
        more = 4 * sum(self.normalised)
        assert model.count_params() == self.build(schema).count_params() + more
        moving = model.mlp.normalizations[0].moving_mean.numpy()
        model(batch, training=True)
        assert not np.array_equal(model.mlp.normalizations[0].moving_mean, moving)


class SymmetryContract:
    """Of models that treat fields alike."""

    def test_order_of_fields_does_not_matter(self, schema, batch):
        """Swapping fields with their rows changes nothing."""
        swapped = {kind: values[:, ::-1] for kind, values in batch.items()}
        model, mirror = self.make(schema), self.make(Schema(schema.fields[::-1]))
        weights = weights_of(model)
        for path, values in weights.items():
            if path.endswith("numerical_table"):
                weights[path] = values[::-1]
            elif path.endswith("table"):
                weights[path] = np.concatenate(np.split(values, [7])[::-1])
        mirror.set_weights(list(weights.values()))
        np.testing.assert_allclose(mirror(swapped), model(batch), rtol=1e-4, atol=1e-5)


class PublicBenchmarkContract:
    """Of models with a public log of a training on Frappe: `public` is the arguments there.

    `public_parameters` is the log's number of weights, `public_sizes` its ids of each field. In
    the older logs of the benchmark BARS only their sum is known, 5,389.
    """

    public = {}
    public_parameters: int
    public_sizes = (5380, *[1] * 9)

    def test_number_of_parameters_is_that_of_the_public_log(self):
        schema = Schema(
            Field(f"f{i}", "categorical", size) for i, size in enumerate(self.public_sizes)
        )
        trained = MODELS[self.name](schema, **self.public).trainable_weights
        assert sum(int(np.prod(weight.shape)) for weight in trained) == self.public_parameters
