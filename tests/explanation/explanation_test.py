import json
import sys

import keras
import numpy as np
import pytest

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation import explanation as explanation_module
from interhat_tf.explanation import sentences as sentences_module
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.batches import probability
from interhat_tf.explanation.explanation import Explanation, explain_records
from interhat_tf.explanation.sentences import sentences

SCHEMA = Schema(
    [Field(f"f{i}", "categorical", 6) for i in range(1, 5)] + [Field("price", "numerical")]
)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return InterHAt(SCHEMA, order=2, mlp_bias=True, embeddings_initializer="random_normal")


@pytest.fixture
def inputs(rng):
    return {
        "categorical": rng.integers(0, 6, (50, 4)),
        "numerical": rng.normal(size=(50, 1)).astype("float32"),
    }


def explanation_of(order_weights, field_weights, contributions, values=None, logit=None):
    """An explanation of one record of fields a, b, c, …."""
    contributions = np.array([contributions], "float64")
    m = contributions.shape[-1]
    return Explanation(
        tuple("abcdefghij"[:m]),
        np.array([values or ["1"] * m], object),
        logits=np.array([contributions.sum() if logit is None else logit]),
        bias=np.zeros(1),
        order_weights=np.array([order_weights]),
        field_weights=np.array([field_weights]),
        contributions=contributions,
    )


def test_it_is_what_the_model_says(model, inputs):
    explanation = explain_records(model, inputs, batch_size=16)
    expected = model.explain(inputs)
    assert len(explanation) == 50
    for name in ("logits", "bias", "order_weights", "field_weights", "contributions"):
        np.testing.assert_allclose(getattr(explanation, name), expected[name], atol=1e-6)
    np.testing.assert_allclose(
        explanation.probabilities, keras.ops.sigmoid(expected["logits"]), atol=1e-6
    )
    assert explanation.heads is None
    total = explanation.contributions.sum(axis=(1, 2)) + explanation.bias
    np.testing.assert_allclose(total, explanation.logits, atol=1e-4)


def test_heads_on_request(model, inputs):
    explanation = explain_records(model, inputs, heads=True, batch_size=16)
    assert explanation.heads.shape == (50, 4, 5, 5)
    np.testing.assert_allclose(explanation.heads, model.explain(inputs, True)["heads"], atol=1e-6)


def test_it_is_shown_in_a_line(model, inputs):
    explanation = explain_records(model, inputs)
    assert repr(explanation) == "<Explanation of 50 records, 5 fields and 2 orders>"


def test_parts(model, inputs):
    explanation = explain_records(model, inputs)
    for part in (explanation[3:5], explanation[[3, 4]]):
        assert len(part) == 2
        np.testing.assert_array_equal(part.contributions, explanation.contributions[3:5])
    assert len(explanation[-1]) == 1
    assert explanation[-1].values.tolist() == explanation.values[-1:].tolist()


def test_values_are_ids_and_numbers_unless_given(model, inputs):
    explanation = explain_records(model, inputs)
    assert explanation.values[0, :4].tolist() == [str(i) for i in inputs["categorical"][0]]
    assert float(explanation.values[0, 4]) == pytest.approx(inputs["numerical"][0, 0], rel=1e-4)
    with pytest.raises(ValueError, match=r"values must be \(50, 5\), got \(1, 2\)"):
        explain_records(model, inputs, values=[["a", "b"]])


def test_records_that_do_not_follow_the_schema(model, inputs):
    inputs["categorical"][7, 2] = 6
    for heads in (False, True):
        with pytest.raises(ValueError, match="f3"):
            explain_records(model, inputs, heads=heads)


def test_interaction_sets_by_hand():
    field_weights = [
        [0.90, 0.02, 0.02, 0.02, 0.04],  # one field
        [0.04, 0.44, 0.46, 0.03, 0.03],  # two
        [0.45, 0.41, 0.05, 0.05, 0.04],  # two of three possible
        [0.20, 0.20, 0.20, 0.20, 0.20],  # nobody
    ]
    explanation = explanation_of([0.1, 0.6, 0.2, 0.1], field_weights, np.zeros((4, 5)))
    assert explanation.interaction_sets() == [[("a",), ("c", "b"), ("a", "b"), ()]]


def test_interaction_sets_of_few_fields():
    few = explanation_of(
        [0.2, 0.6, 0.2],
        [[0.60, 0.30, 0.10], [0.46, 0.44, 0.10], [1 / 3, 1 / 3, 1 / 3]],
        np.zeros((3, 3)),
    )
    # One of three needs two thirds in the first order; a pair 5/12 each in the second.
    assert few.interaction_sets() == [[(), ("a", "b"), ()]]
    only = explanation_of([1.0], [[1.0]], [[0.5]])
    assert only.interaction_sets() == [[("a",)]]


def test_an_order_has_no_more_fields_than_its_number():
    explanation = explanation_of([1.0], [[0.5, 0.5, 0, 0, 0]], np.zeros((1, 5)))
    assert explanation.interaction_sets() == [[("a",)]]


def test_the_sentence_says_how_the_set_moves_the_probability():
    field_weights = [[0.6, 0.1, 0.1, 0.1, 0.1], [0.05, 0.45, 0.45, 0.02, 0.03]]
    contributions = [[0.0, 0.5, 0.0, 0.0, 0.0], [0.1, 0.5, 1.0, 0.0, -0.4]]
    explanation = explanation_of(
        [0.29, 0.71], field_weights, contributions, values=["1", "b", "not c", "x", "y"]
    )
    # Without b and c the logit is -0.3; with them it is 1.7.
    assert explanation.sentences() == [
        "second order dominates (0.71): b × not c; raises the click probability from 0.43 to 0.85"
    ]
    lowered = explanation_of([0.2, 0.8], field_weights, -np.array(contributions))
    assert lowered.sentences()[0].endswith(
        "b = 1 × c = 1; lowers the click probability from 0.57 to 0.15"
    )


def test_the_sentence_if_no_field_stands_out():
    explanation = explanation_of([1.0], [[0.2] * 5], [[0.0] * 5])
    assert explanation.sentences() == [
        "first order dominates (1.00), but no field stands out; click probability 0.50"
    ]


def test_the_frame_has_a_row_for_each_cell(model, inputs):
    frame = explain_records(model, inputs).to_frame()
    assert len(frame) == 50 * 2 * 5
    one = frame[(frame.record == 7) & (frame.order == 2) & (frame.field == "f3")].iloc[0]
    explanation = explain_records(model, inputs)
    assert one.value == str(inputs["categorical"][7, 2])
    assert one.field_weight == explanation.field_weights[7, 1, 2]
    assert one.contribution == explanation.contributions[7, 1, 2]
    assert one.order_weight == explanation.order_weights[7, 1]
    sums = frame.groupby("record").contribution.sum() + explanation.bias
    np.testing.assert_allclose(sums, explanation.logits, atol=1e-4)


def test_json(model, inputs, tmp_path):
    explanation = explain_records(model, inputs)[:3]
    path = tmp_path / "explanation.json"
    explanation.to_json(path)
    data = json.loads(path.read_text())
    assert data == json.loads(explanation.to_json())
    assert data["field_names"] == ["f1", "f2", "f3", "f4", "price"]
    record = data["records"][2]
    assert record["sentence"] == explanation.sentences()[2]
    assert record["values"]["f2"] == str(inputs["categorical"][2, 1])
    np.testing.assert_allclose(record["contributions"], explanation.contributions[2], atol=1e-6)


@pytest.mark.parametrize("method", ["sentences", "to_dict", "to_json", "to_frame", "to_html"])
def test_the_work_grows_with_the_records_and_no_faster(tmp_path, monkeypatch, method):
    computed = []

    def counting(logits):
        computed.append(np.size(logits))
        return probability(logits)

    for module in (explanation_module, sentences_module):
        monkeypatch.setattr(module, "probability", counting)
    arguments = [tmp_path / "page.html"] if method == "to_html" else []
    # The first call imports what it needs.
    work = [
        calls(getattr(explanation_of_records(records), method), *arguments)
        for records in (1, 200, 400)
    ]
    assert work[2] <= 2.2 * work[1]
    # For each record once as it is, and once without the fields of its set.
    assert sum(computed) <= 2 * (1 + 200 + 400)


def test_a_notebook_and_a_picture_put_only_what_they_show_into_words(monkeypatch):
    explanation, worded = explanation_of_records(300), []

    def counting(part):
        worded.append(len(part))
        return sentences(part)

    monkeypatch.setattr(explanation_module, "sentences", counting)
    assert explanation._repr_html_().count("<tr>") == 1 + 10
    assert "and 290 more records" in explanation._repr_html_()
    explanation.plot(250)
    assert worded == [10, 10, 1]


def calls(function, *arguments):
    """Returns the number of calls, of functions in Python and in C, that a call makes."""
    made = [0]

    def count(_, event, __):
        made[0] += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return made[0]


def explanation_of_records(records):
    return Explanation(
        ("a", "b"),
        np.full((records, 2), "1", object),
        logits=np.zeros(records),
        bias=np.zeros(records),
        order_weights=np.full((records, 1), 1.0),
        field_weights=np.tile([[0.9, 0.1]], (records, 1, 1)),
        contributions=np.zeros((records, 1, 2)),
    )


def test_what_a_notebook_shows_is_escaped():
    explanation = explanation_of(
        [1.0], [[0.9, 0.1, 0.0]], [[1.0, 0.2, 0.0]], values=["<script>alert(1)</script>", "&", "x"]
    )
    shown = explanation._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "&amp;" in shown


def test_the_picture_has_the_records_values(model, inputs):
    explanation = explain_records(model, inputs, values=[["ä", "b", "c", "d", "9.5"]] * 50)
    figure = explanation.plot(2, title="a record")
    texts = {text.get_text() for axis in figure.axes for text in axis.texts}
    labels = {t.get_text() for axis in figure.axes for t in axis.get_xticklabels()} | texts
    assert {"ä", "9.5"} <= labels | {text.get_text() for text in figure.texts}


def test_effects_against_a_background(model, inputs, rng):
    background = {kind: values[:4] for kind, values in inputs.items()}
    explanation = explain_records(model, inputs, background=background)
    np.testing.assert_allclose(explanation.effects, occlusion(model, inputs, background), atol=1e-6)
    assert explain_records(model, inputs).effects is None
    np.testing.assert_array_equal(explanation[3:5].effects, explanation.effects[3:5])
    frame = explanation.to_frame()
    of_field = frame[(frame.record == 7) & (frame.field == "f3")].effect
    assert of_field.tolist() == [explanation.effects[7, 2]] * 2
    record = json.loads(explanation.to_json())["records"][7]
    np.testing.assert_allclose(record["effects"], explanation.effects[7], atol=1e-6)
    shown = explanation._repr_html_()
    assert "largest effects on the logit" in shown
    first = np.abs(explanation.effects[0]).argmax()
    assert f"({explanation.effects[0, first]:+.2f})" in shown
    background["categorical"] = background["categorical"] + 6
    with pytest.raises(ValueError, match="f1"):
        explain_records(model, inputs, background=background)
