import keras
import numpy as np
import pytest

from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation.explanation import explain_records
from interhat_tf.explanation.segments import explain_globally, largest_differences
from interhat_tf.explanation.selection import where

SCHEMA = Schema([Field(f"f{i}", "categorical", 4) for i in range(1, 6)])


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(2)
    return InterHAt(SCHEMA, order=2, embeddings_initializer="random_normal")


@pytest.fixture
def inputs(rng):
    return {"categorical": rng.integers(0, 4, (60, 5))}


def batches(inputs):
    return [{"categorical": inputs["categorical"][start : start + 25]} for start in (0, 25, 50)]


def test_means_are_those_of_the_records(model, inputs):
    found = explain_globally(model, batches(inputs), {"all": None, "f2": where(SCHEMA, f2=1)})
    everything = explain_records(model, inputs)
    mask = inputs["categorical"][:, 1] == 1
    for name, records in (("all", everything), ("f2", everything[mask])):
        segment = found[name]
        assert segment.records == len(records) > 3
        assert segment.probability == pytest.approx(records.probabilities.mean(), rel=1e-5)
        for quantity in ("order_weights", "field_weights", "contributions"):
            expected = getattr(records, quantity).mean(axis=0)
            np.testing.assert_allclose(getattr(segment, quantity), expected, atol=1e-6)
        expected = np.abs(records.contributions).mean(axis=0)
        np.testing.assert_allclose(segment.strengths, expected, atol=1e-6)
        dominating = records.order_weights.argmax(axis=1)
        np.testing.assert_allclose(
            segment.dominating, np.bincount(dominating, minlength=2) / len(records)
        )
        sets = [
            tuple(sorted(of_record[order]))
            for of_record, order in zip(records.interaction_sets(), dominating, strict=True)
        ]
        assert segment.sets == {fields: sets.count(fields) for fields in set(sets)}
        share = dict(segment.most_frequent_sets())
        assert share[max(set(sets), key=sets.count)] == max(share.values())
        assert sum(segment.sets.values()) == len(records)


def test_the_frame_has_a_row_for_each_order_and_field(model, inputs):
    segment = explain_globally(model, batches(inputs))["all"]
    frame = segment.to_frame()
    assert len(frame) == 10
    row = frame[(frame.order == 2) & (frame.field == "f4")].iloc[0]
    assert row.contribution == segment.contributions[1, 3]
    assert row.order_weight == segment.order_weights[1]


def test_the_largest_differences_between_segments(model, inputs):
    found = explain_globally(
        model, batches(inputs), {"a": where(SCHEMA, f1=0), "b": where(SCHEMA, f1=1)}
    )
    differences = largest_differences(found["a"], found["b"], number=3)
    table = found["a"].contributions - found["b"].contributions
    sizes = [abs(value) for _, _, value in differences]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == pytest.approx(np.abs(table).max())
    for field, order, value in differences:
        assert value == table[order - 1, SCHEMA.field_names.index(field)]


def test_a_segment_without_records(model, inputs):
    nobody = {"nobody": lambda inputs: np.zeros(len(inputs["categorical"]), bool)}
    with pytest.raises(ValueError, match="no record is in the segment 'nobody'"):
        explain_globally(model, batches(inputs), nobody)
