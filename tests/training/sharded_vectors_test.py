"""Frozen vectors beside tables that two devices share, on JAX, in a process of its own."""

import pathlib
import sys

import keras
import numpy as np
import pytest

from interhat_tf import Adam, InterHAt
from interhat_tf.training.table_sharding import pad_vocabulary, shard_tables

DEVICES = 2


@pytest.mark.slow
def test_frozen_vectors_stay_where_tables_are_shared(tmp_path):
    from tests.conftest import run_on_jax

    run_on_jax("-m", "tests.training.sharded_vectors_test", tmp_path, devices=DEVICES)


def main(folder):
    from interhat_tf.training import load_vectors
    from tests.input_pipeline.growing_logs import prepare_days

    (data,) = prepare_days(pathlib.Path(folder), 1)
    shard_tables()
    users = data.vocabularies["user"][:7]
    vectors = dict(zip(users, np.random.default_rng(0).normal(size=(7, 4)), strict=True))
    model = InterHAt(pad_vocabulary(data.schema, DEVICES), embedding_dim=4, embedding_l2=0.1)
    model = load_vectors(model, data, "user", vectors, trainable=False)
    table = np.array(model.embedding.table)
    assert not model.embedding.table.value.sharding.is_fully_replicated
    model.compile(Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    inputs, clicks = next(data.evaluation_batches("train", 256).as_numpy_iterator())
    model.fit(inputs, clicks, batch_size=64, verbose=0)
    assert (np.array(model.embedding.table) != table).all()
    expected = np.array([vectors[user] for user in users], "float32")
    np.testing.assert_array_equal(model.embedding.frozen_layers[0].vectors[1:8], expected)


if __name__ == "__main__":
    main(sys.argv[1])
