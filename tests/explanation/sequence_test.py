"""Explanations that go from orders to fields to the values of a history."""

import keras
import numpy as np
import pyarrow as pa
import pytest

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation import explain_records
from interhat_tf.explanation.selection import where
from interhat_tf.scoring.reasons import value_labels
from interhat_tf.training.optimizers import Adam
from interhat_tf.utils.value_texts import ValueTexts

SCHEMA = Schema(
    [
        Field("movie", "categorical", 9),
        Field("genres", "multivalued", 7, max_length=2),
        Field("history", "sequence", 9, max_length=12, shares="movie"),
    ]
)
HISTORY = SCHEMA.value_columns("history")


def records(rng, rows):
    lists = rng.integers(0, 9, (rows, 12)), rng.integers(0, 7, (rows, 2))
    lengths = rng.integers(0, (13, 3), (rows, 2))
    history, genres = (
        np.where(np.arange(ids.shape[1]) < n[:, None], ids, -1)
        for ids, n in zip(lists, lengths.T, strict=True)
    )
    return {
        "categorical": rng.integers(0, 9, (rows, 1)),
        "multivalued": np.concatenate([genres, history], axis=1).astype("int32"),
    }


@pytest.fixture(scope="module")
def planted():
    """A model of records that are clicked if, and only if, movie 3 was seen."""
    keras.utils.set_random_seed(0)
    inputs = records(np.random.default_rng(0), 3000)
    labels = (inputs["multivalued"][:, HISTORY] == 3).any(axis=1).astype("float32")
    model = InterHAt(SCHEMA, embedding_dim=8, order=2)
    model.compile(Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(inputs, labels, epochs=10, batch_size=100, verbose=0)
    some = {kind: values[:200] for kind, values in inputs.items()}
    assert ((model.predict(some, verbose=0)[:, 0] > 0) == labels[:200]).mean() > 0.97
    return model, some


def test_an_explanation_names_the_value_of_the_history(planted, tmp_path):
    model, inputs = planted
    background = {kind: values[:20] for kind, values in inputs.items()}
    explanation = explain_records(model, inputs, background=background)
    history = inputs["multivalued"][:, HISTORY]
    once = np.flatnonzero(((history == 3).sum(axis=1) == 1) & ((history >= 0).sum(axis=1) > 3))
    of_attention = [explanation.value_shares(i, "history")[0][0] for i in once]
    of_effects = [explanation.value_moves(i, "history")[0][0] for i in once]
    assert np.mean(np.array(of_attention) == "3") > 0.9
    assert np.mean(np.array(of_effects) == "3") > 0.95
    first = explanation[[once[0]]]
    assert first.label(0, 2).startswith("history: 3 0.")
    assert "history: 3 0." in first.sentences()[0]
    first.to_html(tmp_path / "page.html")
    assert "history: 3 0." in (tmp_path / "page.html").read_text()
    (record,) = first.to_dict()["records"]
    assert record["value_weights"]["history"][0][0] == "3"
    assert record["value_effects"]["history"][0][0] == "3"
    assert len(record["value_weights"]["history"]) == (history[once[0]] >= 0).sum()


def test_an_empty_history_is_none_and_weighs_nothing(planted):
    model, inputs = planted
    inputs = {kind: values[:4].copy() for kind, values in inputs.items()}
    inputs["multivalued"][0] = -1
    explanation = explain_records(model, inputs)
    assert explanation.values[0].tolist()[1:] == ["(missing)", "(none)"]
    assert explanation.label(0, 2) == "no history" and explanation.label(0, 1) == "genres unknown"
    assert not explanation.value_weights[0].any()
    assert explanation.value_shares(0, "history") == []
    assert not explanation.unknown[0].any()


def test_a_long_history_is_cut_short_where_its_values_weigh_the_same():
    inputs = {"categorical": np.array([[4]]), "multivalued": np.full((1, 14), 5)}
    texts = [[f"m{i}" for i in range(12)], ["War", "Drama"], ["a"] * 8]
    values = np.empty((1, 3), object)
    values[0] = ["m4", ValueTexts(texts[1]), ValueTexts(texts[0])]
    explanation = explain_records(InterHAt(SCHEMA, pooling="mean"), inputs, values)
    assert explanation.label(0, 2) == "history = …, m9, m10, m11"
    assert explanation.value_to_draw(0, 2) == "…, m9, m10, m11"
    assert explanation.label(0, 1) == "genres = War, Drama"
    (record,) = explanation.to_dict()["records"]
    assert record["values"]["history"] == ", ".join(texts[0])
    table = pa.table({"movie": ["m4"], "genres": [texts[2]], "history": [[]]})
    labels = value_labels(SCHEMA, inputs, table, np.array([[1, 2]]))
    assert labels.tolist() == [["genres = a, a, a, a, a, a, a, a", "no history"]]


def test_a_condition_asks_for_a_value_of_the_history():
    inputs = records(np.random.default_rng(1), 50)
    seen = (inputs["multivalued"][:, HISTORY] == 3).any(axis=1)
    assert where(SCHEMA, history=3)(inputs).tolist() == seen.tolist()
