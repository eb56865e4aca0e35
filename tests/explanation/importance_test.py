"""Tests of the importance of fields and pairs over many records."""

import types

import numpy as np
import pytest

from interhat_tf import CrossedField, Field, Schema
from interhat_tf.explanation import Importance, feature_importance, where
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.importance import _strongest_pairs
from interhat_tf.explanation.interactions import field_groups, pair_effects
from interhat_tf.explanation.selection import first_records
from interhat_tf.models import FM
from tests.models.held_effects import with_effects
from tests.numpy_reference import randomise


@pytest.fixture
def model(rule_data):
    return randomise(FM(rule_data.schema, embedding_dim=3))


def test_exact_strengths_are_means_of_effects(model, rule_data):
    found = feature_importance(model, rule_data, records=60, background=5, pairs=2)
    inputs, compared = first_records(rule_data, "test", 60), first_records(rule_data, "train", 5)
    effects = occlusion(model, inputs, compared)
    assert found.records == 60
    assert found.groups[:4] == (("f1",), ("f2",), ("f3",), ("f4",))
    np.testing.assert_allclose(found.strengths[:4], np.abs(effects).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.means[:4], effects.mean(axis=0), atol=1e-5)
    errors = np.abs(effects).std(axis=0) / np.sqrt(60)
    np.testing.assert_allclose(found.errors[:4], errors, rtol=1e-4)
    strongest = {f"f{place + 1}" for place in np.argsort(-found.strengths[:4])[:2]}
    assert len(found.groups) == 5 and set(found.groups[4]) == strongest
    together = pair_effects(model, inputs, compared, [found.groups[4]])
    assert found.strengths[4] == pytest.approx(np.abs(together).mean(), rel=1e-5)
    assert found.about == "Effects are exact, against 5 training records."


def test_the_strongest_pairs_are_of_fields_that_records_hold():
    fields = [Field("a", "categorical", 3), Field("b", "categorical", 3), Field("c", "numerical")]
    model = types.SimpleNamespace(schema=Schema(fields, [CrossedField(("a", "b"), hash_size=5)]))
    effects = np.array([[-2.0, 1.0, 0.1, 3.0]])  # of a, b, a x b and c
    assert _strongest_pairs(model, effects, 2) == [("a", "c")]


def test_a_segment_and_all_of_its_records(model, rule_data):
    rows = next(iter(rule_data.evaluation_batches("validation", 1000)))[0]["categorical"]
    matching = int((rows.numpy()[:, 1] == 2).sum())
    segment = where(rule_data.schema, f2=2)
    found = feature_importance(
        model, rule_data, "validation", segment=segment, records=None, background=2
    )
    assert found.records == matching > 10
    with pytest.raises(ValueError, match="no record of validation satisfies the condition"):
        feature_importance(
            model, rule_data, "validation", segment=lambda b: b["categorical"][:, 0] < 0
        )


@pytest.mark.parametrize("pairs", [0, 6])
def test_estimated_effects_come_from_the_model(model, rule_data, pairs):
    with_effects(model, num_pairs=pairs)
    found = feature_importance(model, rule_data, records=50)
    estimated = model.explain_effects(first_records(rule_data, "test", 50))
    expected = np.concatenate(
        [np.abs(estimated[kind]).mean(axis=0) for kind in ("effects", "pair_effects")[: 1 + pairs]]
    )
    np.testing.assert_allclose(found.strengths, expected, rtol=1e-5)
    assert found.groups[4:] == tuple(field_groups(rule_data.schema, 2) if pairs else ())
    assert found.about.startswith("Effects are estimated by the model itself: R2 0.90")
    exact = feature_importance(model, rule_data, records=50, background=3)
    assert exact.about.startswith("Effects are exact") and len(exact.groups) == 4


def test_the_frame_and_the_chart_have_the_strongest_first(tmp_path):
    found = Importance(
        (("app",), ("day",), ("app", "day")),
        *np.array([[0.5, 0.75, 1.0], [-0.5, 0, 1.0], [0.1, 0.1, 0.1]]),
        records=7,
        about="",
    )
    frame = found.to_frame()
    assert frame.fields.tolist() == ["app x day", "day", "app"]
    assert frame.kind.tolist() == ["pair", "field", "field"]
    figure = found.plot(tmp_path / "chart.png", number=1)
    shown = [[text.get_text() for text in axes.get_yticklabels()] for axes in figure.axes]
    assert shown == [["day"], ["app x day"]]
    assert (tmp_path / "chart.png").read_bytes()[1:4] == b"PNG"


def test_what_is_refused(model, rule_data):
    with pytest.raises(ValueError, match="pairs must be 0 or at least 2, got 1"):
        feature_importance(model, rule_data, pairs=1)
    with pytest.raises(ValueError, match=r"call fit_effects\(model, data\) first"):
        feature_importance(model, rule_data, background=0)
    with pytest.raises(ValueError, match="estimates no pairs"):
        feature_importance(with_effects(model), rule_data, pairs=3)
