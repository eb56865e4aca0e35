"""Tests of the training step in microbatches against that of whole batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import InterHAt
from interhat_tf.models import MODELS, DeepFM
from interhat_tf.training.optimizers import Adam, LazyAdam, table_penalties
from interhat_tf.training.step import compile_steps
from tests.conftest import random_batch


def trained(build, batches, optimizer=Adam, **how):
    """Returns a model's weights after a step on each batch, and the sum of the loglosses."""
    keras.utils.set_random_seed(3)
    model = build()
    # The gradient of a bias before a softmax is noise about zero, which a small epsilon magnifies.
    penalties = {"table_l2": table_penalties(model)} if optimizer is Adam else {}
    optimizer = optimizer(1e-2, epsilon=1e-3, **penalties)
    optimizer.build(model.trainable_variables)
    loss_sum = tf.Variable(0.0, dtype=tf.float64)
    steps = compile_steps(model, optimizer, loss_sum, **how)
    data = iter(tf.data.Dataset.from_generator(lambda: batches, output_signature=SPEC))
    steps(data, tf.constant(len(batches)))
    return model.get_weights(), float(loss_sum)


SPEC = (
    {
        "categorical": tf.TensorSpec((None, 2), tf.int32),
        "numerical": tf.TensorSpec((None, 2), tf.float32),
    },
    tf.TensorSpec((None,), tf.float32),
)


@pytest.fixture
def batches(schema, rng):
    """Three batches, none of them a multiple of the microbatches, the last one a single record."""
    return [
        (random_batch(schema, rng, rows), rng.integers(2, size=rows).astype("float32"))
        for rows in (50, 23, 1)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "optimizer", "rows"),
    [
        ("interhat", Adam, 7),
        ("interhat", LazyAdam, 64),
        ("interhat_s", LazyAdam, 7),
        ("deepfm", Adam, 7),
    ],
)
def test_microbatches_take_the_steps_of_whole_batches(schema, batches, model, optimizer, rows):
    arguments = {"embedding_dim": 4, "dense_l2": 1e-3}
    if model.startswith("interhat"):
        arguments["order"] = 2
    if optimizer is Adam:
        arguments["embedding_l2"] = 1e-3
    whole, loss = trained(lambda: MODELS[model](schema, **arguments), batches, optimizer)
    weights, loss_in_microbatches = trained(
        lambda: MODELS[model](schema, **arguments), batches, optimizer, microbatch_size=rows
    )
    assert loss_in_microbatches == pytest.approx(loss, rel=1e-6)
    for weight, expected in zip(weights, whole, strict=True):
        np.testing.assert_allclose(weight, expected, atol=2e-5)


def test_an_order_alone_has_weights_without_a_gradient(schema, batches):
    whole, _ = trained(lambda: InterHAt(schema, order=1), batches)
    weights, _ = trained(lambda: InterHAt(schema, order=1), batches, microbatch_size=8)
    for weight, expected in zip(weights, whole, strict=True):
        np.testing.assert_allclose(weight, expected, atol=2e-5)


@pytest.mark.slow
def test_the_same_run_has_the_same_bits(schema, batches):
    one, other = (
        trained(lambda: InterHAt(schema, order=2), batches, microbatch_size=4)[0] for _ in range(2)
    )
    for weight, again in zip(one, other, strict=True):
        np.testing.assert_array_equal(weight, again)


def test_what_does_not_go_in_microbatches(schema):
    optimizer, loss_sum = Adam(), tf.Variable(0.0, dtype=tf.float64)
    for model in (InterHAt(schema, dropout=0.1), DeepFM(schema, batch_norm=True)):
        with pytest.raises(ValueError, match="without dropout and batch normalisation"):
            compile_steps(model, optimizer, loss_sum, microbatch_size=8)
    with pytest.raises(ValueError, match="do not go together"):
        compile_steps(InterHAt(schema), optimizer, loss_sum, jit_compile=True, microbatch_size=8)
