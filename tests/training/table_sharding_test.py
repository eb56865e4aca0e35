"""Tables split over two devices of Keras' JAX backend, held against one device.

Keras has one backend a process, so the test runs this file as a program in a
fresh one, where a CPU counts as two devices.
"""

import re
import sys

import keras
import numpy as np
import pytest

from interhat_tf import Adam, CrossedField, Field, Schema
from interhat_tf.models import MODELS
from interhat_tf.training.table_sharding import TABLES, pad_vocabulary, shard_tables
from interhat_tf.utils.files import read_json, write_json

DEVICES, BATCH_SIZE = 2, 32
TABLES_OF = {"interhat": 1, "deepfm": 2}
SIZES = {"interhat": {"num_heads": 2, "order": 2}, "deepfm": {"mlp_units": (8, 8)}}
SCHEMA = Schema(
    [
        Field("app", "categorical", 40),
        Field("site", "categorical", 7),
        Field("price", "numerical"),
        Field("age", "numerical"),
    ]
)


def test_padding_gives_the_largest_field_unused_ids():
    padded = pad_vocabulary(SCHEMA, 8)
    assert padded.vocabulary_sizes == (41, 7)
    assert padded.field_names == SCHEMA.field_names
    # Of equal fields the first.
    equal = Schema([Field(name, "categorical", 3) for name in "ab"])
    assert pad_vocabulary(equal, 4).vocabulary_sizes == (5, 3)


def test_padding_keeps_crosses():
    crossed = SCHEMA.with_crosses([CrossedField(("app", "site"), [[1, 2], [3, 3]])])
    padded = pad_vocabulary(crossed, 8)
    assert padded.vocabulary_sizes == (46, 7, 3)
    assert padded.crosses == crossed.crosses


def test_padding_counts_rows_that_are_shared_once():
    history = Field("history", "sequence", 40, max_length=3, shares="app")
    padded = pad_vocabulary(Schema([*SCHEMA.record_fields, history]), 8)
    assert padded.vocabulary_sizes == (41, 7, 41)
    assert padded.multivalued[0].shares == "app"


@pytest.mark.parametrize("schema", [SCHEMA, Schema([Field("price", "numerical")])])
def test_what_is_a_multiple_stays_as_it_is(schema):
    assert pad_vocabulary(schema, 47) == schema


def test_padding_to_no_number_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        pad_vocabulary(SCHEMA, 0)


def test_another_backend_is_refused():
    with pytest.raises(ValueError, match="set KERAS_BACKEND=jax"):
        shard_tables()


@pytest.mark.parametrize("name", MODELS)
def test_the_pattern_has_the_tables_of_all_models_and_nothing_else(name):
    history = Field("history", "sequence", 40, max_length=3, shares="app")
    weights = MODELS[name](Schema([*SCHEMA.record_fields, history])).weights
    split = {weight.path for weight in weights if re.fullmatch(TABLES, weight.path)}
    assert split == {w.path for w in weights if w.shape[0] == sum(SCHEMA.vocabulary_sizes)}
    assert split


@pytest.mark.slow
def test_two_devices_share_the_rows_and_agree_with_one(tmp_path):
    from tests.conftest import run_on_jax

    run_on_jax("-m", "tests.training.table_sharding_test", tmp_path, devices=DEVICES)
    found = read_json(tmp_path / "found.json")
    assert "at least two devices, got cpu:0" in found["refused"]
    rows = sum(SCHEMA.vocabulary_sizes) + 1
    for name, tables in TABLES_OF.items():
        one, two = found[f"{name}-one"], found[f"{name}-sharded"]
        assert one["shares"] == {}
        # Each table, its first and its second moment.
        assert len(two["shares"]) == 3 * tables
        for shares in two["shares"].values():
            assert [share[0] for share in shares] == [rows // DEVICES] * DEVICES
        np.testing.assert_allclose(two["losses"], one["losses"], rtol=0, atol=1e-5)
        assert one["losses"][-1] < one["losses"][0]
        assert two["loaded_shares"] == two["shares"]
        outputs = np.load(tmp_path / f"{name}-sharded.npz")
        np.testing.assert_array_equal(outputs["loaded"], outputs["saved"])


def train(name, path):
    """Trains a model, saves and loads it; returns what is to be compared of it."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    records = {
        "categorical": rng.integers(0, SCHEMA.vocabulary_sizes, (4 * BATCH_SIZE, 2)),
        "numerical": rng.random((4 * BATCH_SIZE, 2)).astype("float32"),
    }
    clicks = (records["categorical"][:, 1] < 3).astype("float32")
    arguments = {"embedding_dim": 4, "embedding_l2": 1e-4, **SIZES[name]}
    model = MODELS[name](pad_vocabulary(SCHEMA, DEVICES), **arguments)
    model.compile(Adam(1e-2), keras.losses.BinaryCrossentropy(from_logits=True))
    how = {"batch_size": BATCH_SIZE, "shuffle": False, "verbose": 0}
    losses = model.fit(records, clicks, epochs=3, **how).history["loss"]
    model.save(f"{path}.keras")
    loaded = keras.models.load_model(f"{path}.keras")
    np.savez(
        f"{path}.npz",
        saved=model.predict(records, batch_size=BATCH_SIZE, verbose=0),
        loaded=loaded.predict(records, batch_size=BATCH_SIZE, verbose=0),
    )
    return {"losses": losses, "shares": shares(model), "loaded_shares": shares(loaded)}


def shares(model):
    """Returns the shapes of the parts of each weight and moment that is split."""
    return {
        variable.path: [shard.data.shape for shard in variable.value.addressable_shards]
        for variable in [*model.weights, *model.optimizer.variables]
        if not variable.value.sharding.is_fully_replicated
    }


def main(folder):
    """Trains on one device, then on all."""
    found = {f"{name}-one": train(name, f"{folder}/{name}-one") for name in TABLES_OF}
    try:
        shard_tables(["cpu:0"])
    except ValueError as error:
        found["refused"] = str(error)
    shard_tables()
    for name in TABLES_OF:
        found[f"{name}-sharded"] = train(name, f"{folder}/{name}-sharded")
    write_json(f"{folder}/found.json", found)


if __name__ == "__main__":
    main(sys.argv[1])
