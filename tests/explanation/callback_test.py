import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation.attention_maps import Attention, mean_attention
from interhat_tf.explanation.callback import AttentionHeatmaps
from interhat_tf.explanation.selection import where

SCHEMA = Schema([Field(f"f{i}", "categorical", 4) for i in range(1, 5)])
RNG = np.random.default_rng(0)
INPUTS = {"categorical": RNG.integers(0, 4, (64, 4)).astype("int32")}
LABELS = RNG.integers(0, 2, 64)
BATCHES = tf.data.Dataset.from_tensor_slices((INPUTS, LABELS)).batch(24)
RECORDS = {"categorical": INPUTS["categorical"][:2]}


@pytest.fixture(scope="module")
def model():
    """One model for all tests: training it is cheap, compiling it is not."""
    keras.utils.set_random_seed(2)
    model = InterHAt(SCHEMA, embedding_dim=4, num_heads=2, order=2)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=False)
    return model


def fit(model, *callbacks, epochs=3, **arguments):
    model.fit(INPUTS, LABELS, epochs=epochs, verbose=0, callbacks=list(callbacks), **arguments)


def files(directory):
    return sorted(
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    )


@pytest.mark.slow
def test_writes_records_and_conditions_at_the_end_of_training(model, tmp_path):
    condition = where(SCHEMA, f3=3)
    export = AttentionHeatmaps(
        tmp_path,
        records=RECORDS,
        record_names=["Terminator", "Toy Story 2"],
        record_values=[list("abcd"), None],
        batches=BATCHES,
        conditions={"f3=b3": condition, "all": None},
    )
    fit(model, export)
    assert files(tmp_path) == sorted(
        f"epoch_002/{name}.{ending}"
        for name in ("Terminator", "Toy_Story_2", "f3=b3", "all")
        for ending in ("npz", "png")
    )
    explained = model.explain(RECORDS)
    for i, name in enumerate(["Terminator", "Toy_Story_2"]):
        attention = Attention.load(tmp_path / "epoch_002" / f"{name}.npz")
        assert attention.field_names == SCHEMA.field_names
        assert attention.records == 1
        np.testing.assert_allclose(attention.field_weights, explained["field_weights"][i], 1e-5)
        np.testing.assert_allclose(attention.order_weights, explained["order_weights"][i], 1e-5)
    mask = condition(INPUTS)
    explained = model.explain({"categorical": INPUTS["categorical"][mask]})
    attention = Attention.load(tmp_path / "epoch_002" / "f3=b3.npz")
    assert attention.records == mask.sum()
    np.testing.assert_allclose(
        attention.field_weights, np.mean(explained["field_weights"], 0), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("epochs", "expected"), [(None, [2]), ("all", [0, 1, 2]), ([0, 1, 9], [0, 1]), ({2}, [2])]
)
def test_writes_each_chosen_epoch_once(model, tmp_path, monkeypatch, epochs, expected):
    written = []
    monkeypatch.setattr(Attention, "save", lambda self, path: written.append(path))
    fit(model, AttentionHeatmaps(tmp_path, records=RECORDS, epochs=epochs))
    folders = [f"epoch_{epoch:03d}" for epoch in expected]
    assert written == [
        str(tmp_path / folder / f"record_{i}.npz") for folder in folders for i in range(2)
    ]
    assert files(tmp_path) == [f"{folder}/record_{i}.png" for folder in folders for i in range(2)]


def test_weights_are_those_of_the_epoch(model, tmp_path):
    probabilities = []
    spy = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: probabilities.append(
            mean_attention(model, BATCHES).probability
        )
    )
    fit(model, AttentionHeatmaps(tmp_path, batches=BATCHES, epochs="all"), spy)
    saved = [Attention.load(tmp_path / f"epoch_{i:03d}" / "all.npz").probability for i in range(3)]
    assert saved == probabilities
    assert len(set(saved)) == 3


def test_early_stopping_is_an_end_of_training_and_shows_the_restored_weights(model, tmp_path):
    # No second epoch is better by that much: training stops after it, the first one's are restored.
    stop = keras.callbacks.EarlyStopping("loss", 10, patience=1, restore_best_weights=True)
    fit(model, stop, AttentionHeatmaps(tmp_path, records=RECORDS), epochs=10)
    assert files(tmp_path) == [
        f"epoch_001/record_{i}.{ending}" for i in range(2) for ending in ("npz", "png")
    ]
    attention = Attention.load(tmp_path / "epoch_001" / "record_0.npz")
    expected = model.explain(RECORDS)["field_weights"][0]
    np.testing.assert_allclose(attention.field_weights, expected, rtol=1e-5)


def test_no_epoch_no_export(model, tmp_path):
    fit(model, AttentionHeatmaps(tmp_path, records=RECORDS), epochs=2, initial_epoch=2)
    assert files(tmp_path) == []


def test_names_make_safe_files(model, tmp_path):
    conditions = {"f3=b3 & f4=b4": None, "../a/b": None, "β1": None}
    fit(model, AttentionHeatmaps(tmp_path / "x", batches=BATCHES, conditions=conditions))
    assert files(tmp_path) == sorted(
        f"x/epoch_002/{name}.{ending}"
        for name in ("f3=b3_f4=b4", "a_b", "β1")
        for ending in ("npz", "png")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to export"),
        ({"records": RECORDS, "epochs": "last"}, "got 'last'"),
        ({"records": RECORDS, "record_names": ["a"]}, "2 records .* got 1 names"),
        ({"records": RECORDS, "record_names": ["a/b", "A b"]}, "a/b, A b"),
        ({"records": RECORDS, "record_names": ["a", "a"]}, "a, a"),
        ({"records": RECORDS, "record_names": ["a", ".."]}, "no file can be named '..'"),
        ({"records": RECORDS, "conditions": {"a": None}}, "conditions need batches"),
        ({"batches": iter([RECORDS])}, "readable more than once"),
    ],
)
def test_wrong_arguments_are_errors(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionHeatmaps(tmp_path, **arguments)


def test_what_does_not_fit_fails_before_training(model, tmp_path):
    wrong_ids = {"categorical": np.full((1, 4), 4)}
    nobody = {"nobody": lambda inputs: np.zeros(len(inputs["categorical"]), bool)}
    for arguments, message in [
        ({"records": wrong_ids}, "record 'record_0': field 'f1', row 0: id 4"),
        ({"records": RECORDS, "record_values": [["a"], None]}, "4 fields, but 1 values"),
        ({"batches": BATCHES, "conditions": nobody}, "no record satisfies the condition 'nobody'"),
    ]:
        weights = model.get_weights()
        with pytest.raises(ValueError, match=message):
            fit(model, AttentionHeatmaps(tmp_path, **arguments))
        for before, after in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)


def test_a_model_that_does_not_explain_is_an_error(tmp_path):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"needs a model with `explain`.*got Sequential"):
        model.fit(
            INPUTS["categorical"],
            LABELS,
            verbose=0,
            callbacks=[AttentionHeatmaps(tmp_path, records=RECORDS)],
        )
