import json
import sys

import keras
import numpy as np
import pandas as pd
import pytest

from interhat_tf import CrossedField, Field, InterHAt, Schema
from interhat_tf.calibration import Calibration, probability
from interhat_tf.explanation import explanation as explanation_module
from interhat_tf.explanation.attention_maps import mean_attention
from interhat_tf.explanation.attributions import contributions, occlusion
from interhat_tf.explanation.explanation import explain_records
from interhat_tf.explanation.interactions import field_groups, pair_effects
from interhat_tf.explanation.record_values import with_crossed_values
from interhat_tf.explanation.segments import explain_globally
from interhat_tf.explanation.sentences import sentences
from interhat_tf.models import LR
from tests.explanation.made import equal_records
from tests.models.held_effects import with_effects

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


def test_without_its_base_there_is_a_clear_error(inputs):
    model = InterHAt(SCHEMA, order=1, value_dim=4)
    for explain in (explain_records, lambda m, x: explain_globally(m, [x]), contributions):
        with pytest.raises(ValueError, match=r"call model.adapt\(batches of training records\)"):
            explain(model, inputs)
    mean_attention(model, [inputs])  # the weights alone need no base
    model.adapt([inputs])
    explanation = explain_records(model, inputs)
    total = explanation.contributions.sum(axis=(1, 2)) + explanation.bias
    np.testing.assert_allclose(total, explanation.logits, atol=1e-5)


def test_it_knows_what_attention_is_worth(model, inputs):
    assert explain_records(model, inputs).attention is None
    model.diagnosis = {"attention": {"auc_lost": 0.5, "logloss_lost": 0.25, "idle": False}}
    try:
        assert explain_records(model, inputs)[2:5].attention == model.diagnosis["attention"]
    finally:
        model.diagnosis = {}


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


def test_there_is_something_to_explain(model, inputs):
    with pytest.raises(ValueError, match="there are no records to explain"):
        explain_records(model, {kind: array[:0] for kind, array in inputs.items()})
    diverged = InterHAt(model.schema, embedding_dim=4, order=2)
    diverged.set_weights([np.full_like(weight, np.nan) for weight in diverged.get_weights()])
    rows = len(inputs["categorical"])
    with pytest.raises(ValueError, match=f"^{rows} of {rows} logits are not finite: the model has"):
        explain_records(diverged, inputs)


def test_a_file_has_the_json(model, inputs, tmp_path):
    explanation = explain_records(model, inputs)[:3]
    path = tmp_path / "explanation.json"
    assert explanation.to_json(path) is None
    assert json.loads(path.read_text()) == json.loads(explanation.to_json())
    assert json.loads(explanation.to_json()) == explanation.to_dict()
    assert explanation.to_dict()["field_names"] == ["f1", "f2", "f3", "f4", "price"]


@pytest.mark.parametrize("method", ["sentences", "to_dict", "to_json", "to_frame", "to_html"])
def test_the_work_grows_with_the_records_and_no_faster(tmp_path, monkeypatch, method):
    computed = []

    def counting(logits):
        computed.append(np.size(logits))
        return probability(logits)

    monkeypatch.setattr(explanation_module, "probability", counting)
    arguments = [tmp_path / "page.html"] if method == "to_html" else []
    # The first call imports what it needs.
    work = [calls(getattr(equal_records(records), method), *arguments) for records in (1, 200, 400)]
    assert work[2] <= 2.2 * work[1]
    # For each record once as it is, and once without the fields of its set.
    assert sum(computed) <= 2 * (1 + 200 + 400)


def test_a_notebook_and_a_picture_put_only_what_they_show_into_words(monkeypatch):
    explanation, worded = equal_records(300), []

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
    background["categorical"] = background["categorical"] + 6
    with pytest.raises(ValueError, match="f1"):
        explain_records(model, inputs, background=background)


def test_pairs_are_named_the_largest_effect_first(model, inputs, rng):
    few = {kind: values[:4] for kind, values in inputs.items()}
    background = {kind: rng.permutation(values)[:3] for kind, values in inputs.items()}
    explanation = explain_records(model, few, background=background, interactions=3)
    assert explanation.pairs.shape == (4, 3, 2) and explanation.pair_effects.shape == (4, 3)
    exact = pair_effects(model, few, background)
    columns = field_groups(SCHEMA, 2)
    for record, pairs in enumerate(explanation.interactions()):
        sizes = [abs(pair.effect) for pair in pairs]
        assert sizes == sorted(sizes, reverse=True) and sizes[0] > 0
        named = {name for pair in pairs for name in pair.fields}
        largest = np.abs(explanation.effects[record]).argsort()[-3:]
        assert named == {explanation.field_names[field] for field in largest}
        for pair in pairs:
            expected = exact[record, columns.index(pair.fields)]
            assert pair.effect == pytest.approx(expected, abs=1e-5)
    assert explanation[[2]].interactions() == [explanation.interactions()[2]]


def test_a_model_that_estimates_effects_needs_no_background(inputs):
    model = with_effects(InterHAt(SCHEMA, order=1), num_pairs=10)
    explanation = explain_records(model, inputs, interactions=2)
    expected = model.explain(inputs)
    np.testing.assert_allclose(explanation.effects, expected["effects"], atol=1e-4)
    assert explanation[[3]].effect_fidelity == model.diagnosis["effects"]
    pairs = field_groups(SCHEMA, 2)
    for record, found in enumerate(explanation.interactions()):
        assert len(found) == 10
        for fields, effect in found:
            estimated = expected["pair_effects"][record, pairs.index(fields)]
            assert effect == pytest.approx(float(estimated), abs=1e-4)
    few = {kind: values[:2] for kind, values in inputs.items()}
    exact = explain_records(model, inputs, background=few)
    np.testing.assert_allclose(exact.effects, occlusion(model, inputs, few), atol=1e-6)
    assert exact.effect_fidelity is None and exact.pair_effects is None
    exact = explain_records(model, inputs, background=few, interactions=2)
    assert exact.pair_effects.shape == (50, 1)


def test_a_new_head_is_asked_and_no_longer_the_old_one(inputs):
    model = with_effects(InterHAt(SCHEMA, order=1))
    first = explain_records(model, inputs).effects
    model.effect_head.effects.bias.assign(np.arange(5) + 10.0)
    np.testing.assert_allclose(
        explain_records(model, inputs).effects, model.explain(inputs)["effects"], atol=1e-4
    )
    with_effects(model)
    np.testing.assert_allclose(explain_records(model, inputs).effects, first, atol=1e-6)
    model.drop_effects()
    assert explain_records(model, inputs).effects is None


def test_interactions_that_were_not_asked_for_or_cannot_be(model, inputs):
    few = {kind: values[:2] for kind, values in inputs.items()}
    with pytest.raises(ValueError, match="interactions=8"):
        explain_records(model, few).interactions()
    with pytest.raises(ValueError, match="give a background"):
        explain_records(model, few, interactions=8)
    with pytest.raises(ValueError, match="must be at least 2, got 1"):
        explain_records(model, few, background=few, interactions=1)


def test_values_and_effects_of_a_cross(rng):
    fields = [Field("user", "categorical", 3), Field("app", "categorical", 3)]
    cross = CrossedField(("user", "app"), [[1, 2]])
    model = LR(Schema([*fields, Field("price", "numerical")], [cross]))
    table = np.zeros((8, 1))
    table[1], table[6 + 1] = 2, 3  # user 1, and user 1 with app 2
    model.linear.embedding.table.assign(table)
    inputs = {"categorical": np.array([[1, 2], [1, 1]]), "numerical": np.zeros((2, 1), "float32")}
    values = np.array([["u1", "maps", "0"], ["u1", "mail", "0"]], object)
    crossed = with_crossed_values(model.schema, inputs, values)
    assert crossed.tolist() == [["u1", "maps", "u1 x maps", "0"], ["u1", "mail", "(other)", "0"]]
    background = {kind: np.zeros_like(array[:1]) for kind, array in inputs.items()}
    effects = occlusion(model, inputs, background)
    # The user alone takes the cross along; the cross is both fields at once.
    assert effects.tolist() == [[5, 3, 5, 0], [2, 0, 2, 0]]
    explained = explain_records(InterHAt(model.schema, order=2), inputs, values)
    assert explained.field_names == ("user", "app", "user x app", "price")
    assert explained.values.tolist() == crossed.tolist()


@pytest.mark.parametrize("with_background", [False, True])
def test_a_calibrated_models_probabilities(inputs, tmp_path, with_background):
    model = InterHAt(SCHEMA, order=2)
    background = {kind: values[:2] for kind, values in inputs.items()} if with_background else None
    plain = explain_records(model, inputs, background=background)
    assert plain.calibration_note() == ""
    model.calibration = Calibration("platt", 4321, slope=0.5, intercept=-2.0)
    found = explain_records(model, inputs, background=background)
    np.testing.assert_array_equal(found.logits, plain.logits)
    expected = probability(0.5 * found.logits.astype("float64") - 2)
    np.testing.assert_allclose(found.probabilities, expected)
    note = "Probabilities are calibrated by Platt scaling on 4,321 validation records."
    assert found[3:4].calibration_note() == note
    assert note in found._repr_html_()
    found.to_html(tmp_path / "page.html")
    assert note in (tmp_path / "page.html").read_text()
    data = found.to_dict()
    assert data["calibration"] == note[len("Probabilities are ") : -1]
    assert data["records"][0]["probability"] == found.probabilities[0]
    assert f"{found.probabilities[0]:.2f}" in found.sentences()[0]
    (segment,) = explain_globally(model, [inputs]).values()
    assert segment.probability == pytest.approx(found.probabilities.mean())
    assert mean_attention(model, [inputs]).probability == pytest.approx(segment.probability)


def test_values_that_training_does_not_have_are_reported(tmp_path):
    cross = CrossedField(("f1", "f2"), [[1, 1]])
    fields = [Field(f"f{i}", "categorical", 4) for i in range(1, 4)]
    model = InterHAt(Schema(fields, [cross]), order=2)
    inputs = {"categorical": np.array([[0, 1, 1], [1, 1, 2], [0, 2, 3], [0, 1, 0]], "int32")}
    explanation = explain_records(model, inputs)
    note = "Values that training records do not have: f1 75%, f3 25%."
    assert explanation.unknown_note() == note  # of a cross, a rare combination is no news
    assert note in explanation._repr_html_()
    explanation.to_html(tmp_path / "page.html")
    assert note in (tmp_path / "page.html").read_text()
    assert explanation.to_dict()["unknown"]["f1"] == 0.75
    assert explanation[[1]].unknown_note() == "" and "unknown" not in explanation[[1]].to_dict()
    assert explanation[[0, 2]].unknown_shares()["f1"] == 1.0


def test_values_and_labels_in_other_common_forms(schema, batch):
    model = InterHAt(schema, embedding_dim=4, num_heads=2)
    table = pd.DataFrame({"price": 0.5, "app": ["maps"] * 16, "age": 7, "site": "x"})
    table.loc[1, "price"] = np.nan
    table.loc[2, "site"] = None
    clicked = np.arange(16) % 2
    forms = {
        "Keras' y": clicked[:, None],
        "list": clicked.tolist(),
        "series": pd.Series(clicked, range(5, 21)),
    }
    for labels in forms.values():
        explanation = explain_records(model, batch, values=table, labels=labels)
        records = json.loads(json.dumps(explanation.to_dict(), allow_nan=False))["records"]
        assert [record["clicked"] for record in records] == (clicked == 1).tolist()
        assert explanation[[1]].labels.tolist() == [1]
    shown = [list(record["values"].values()) for record in records[:3]]
    assert shown == [
        ["0.5", "maps", "7", "x"],
        ["(missing)", "maps", "7", "x"],
        ["0.5", "maps", "7", "(missing)"],
    ]
