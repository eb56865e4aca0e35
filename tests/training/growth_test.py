"""Tests of grown models: what a value meant before, it means still, to the bit, in all models."""

import keras
import numpy as np
import pytest

from interhat_tf import Adam, Cross, InterHAt
from interhat_tf.calibration import Calibration
from interhat_tf.click_counts import FOLDS
from interhat_tf.explanation import explain_records
from interhat_tf.growth import NEW
from interhat_tf.training import align_attention, grow_model
from interhat_tf.training.growth import grow_schema, rows_of_tables
from tests.input_pipeline.growing_logs import prepare_days
from tests.models.registry_test import CASES, build_small
from tests.numpy_reference import randomise

CROSSES = [("user", "app"), Cross(("app", "user"), hash_size=5)]


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Three sets that grew from one another; the third has dropped values of the second."""
    return prepare_days(tmp_path_factory.mktemp("days"), 3, drop_after=2)


def records(users):
    apps = [("maps", "mail", "chat")[number % 3] for number in range(len(users))]
    return {"user": users, "app": apps, "price": [number / 9 for number in range(len(users))]}


def assert_same_predictions(model, grown, data, grown_data, before, now):
    """Compares logits of records of users, who had other names before."""
    logits = model(data.encode(records(before), max_unknown=1.0))
    assert len(set(np.ravel(logits).tolist())) > 1
    new_logits = grown(grown_data.encode(records(now), max_unknown=1.0))
    np.testing.assert_array_equal(new_logits, logits)


@pytest.mark.parametrize("case", [*CASES, "gated"])
def test_predictions_are_those_of_before_bit_for_bit(days, case, monkeypatch):
    sizes = {"second_mlp_units": (5,), "num_heads": 5, "first_gate_field": "user"}
    monkeypatch.setitem(CASES, "gated", ("finalmlp", {**sizes, "second_gate_field": "app"}))
    crosses = [] if case == "gated" else [("user", "app")]  # gates are of fields
    _, second, third = (data.with_crosses(crosses) for data in days)
    model = build_small(case, second.schema)
    grown = grow_model(model, third)
    assert grown.schema.record_fields == third.schema.record_fields
    old, now = (set(data.vocabularies["user"]) for data in (second, third))
    assert old - now and now - old and old & now
    kept = sorted(old & now)
    assert_same_predictions(model, grown, second, third, kept, kept)
    others = sorted(old ^ now)  # unknown, either before or from now on
    assert_same_predictions(model, grown, second, third, ["nobody"] * len(others), others)


@pytest.mark.parametrize("preset", ["paper", "released", "tuned"])
def test_presets_keep_their_settings_and_averages(days, preset):
    first, second = days[:2]
    model = randomise(InterHAt.from_preset(preset, first.schema))
    model.calibration = Calibration("platt", records=9, slope=2.0)
    grown = grow_model(model, second)
    assert grown.calibration == model.calibration
    assert grown.training_settings == model.training_settings
    known = first.vocabularies["user"]
    explained, earlier = (
        m.explain(d.encode(records(known))) for m, d in ((grown, second), (model, first))
    )
    for name, values in earlier.items():
        np.testing.assert_array_equal(explained[name], values, err_msg=name)


def test_combinations_of_a_cross_stay_and_join(days):
    first, second = (data.with_crosses([("user", "app")]) for data in days[:2])
    model = InterHAt(first.schema, embedding_dim=4, num_heads=2)
    schema = grow_schema(model.schema, second)

    def named(data, cross):
        values = [np.array(["", *data.vocabularies[name]]) for name in cross.fields]
        return {tuple(v[i] for v, i in zip(values, c, strict=True)) for c in cross.combinations}

    before, today = (named(d, d.schema.crosses[0]) for d in (first, second))
    assert before - today and today - before
    assert named(second, schema.crosses[0]) == before | today
    without = grow_schema(model.schema, days[1])
    assert named(days[1], without.crosses[0]) == before


def test_click_counts_of_earlier_sets_are_added(days):
    asked = Cross(("user", "app"), click_counts=True)
    first, second = (data.with_crosses([asked]) for data in days[:2])
    model = randomise(InterHAt(first.schema, embedding_dim=4, num_heads=2))

    def totals(data, cross):
        values = [np.array(["", *data.vocabularies[name]]) for name in cross.fields]
        names = [tuple(v[i] for v, i in zip(values, c, strict=True)) for c in cross.combinations]
        return dict(zip(names, cross.counts.sum(axis=1), strict=True))

    (before,), (today,) = first.schema.crosses, second.schema.crosses
    (grown,) = grow_model(model, second).schema.crosses
    old, new, together = totals(first, before), totals(second, today), totals(second, grown)
    assert set(together) == set(old) | set(new)
    assert set(old) & set(new)
    for name, counts in together.items():
        np.testing.assert_array_equal(counts, old.get(name, 0) + new.get(name, 0))
    # All training records of the new set see the earlier ones, none its own fold.
    assert grown.counts[:, FOLDS].sum() == before.counts.sum()
    assert grown.counts[:, :FOLDS].sum() == today.counts.sum()


def test_a_hashed_cross_stays_where_no_id_closed_up(days):
    first, second, third = (data.with_crosses(CROSSES[1:]) for data in days)
    model = randomise(InterHAt(first.schema, embedding_dim=4, num_heads=2))
    known = first.vocabularies["user"]
    grown = grow_model(model, second)
    assert_same_predictions(model, grown, first, second, known, known)
    with pytest.raises(ValueError, match="'app x user': the ids of 'user' closed up when values"):
        grow_model(grown, third)


def test_rows_that_are_new_have_no_moments_and_the_weights_of_their_field(days):
    first, second = (data.with_crosses([("user", "app")]) for data in days[:2])
    model = InterHAt(first.schema, embedding_dim=2, num_heads=1, name="model")
    grown = grow_model(model, second)
    rows = rows_of_tables(grown, first.schema, second.growth)["model/embedding/table"]
    earlier = first.schema.vocabulary_sizes
    sizes = grown.schema.vocabulary_sizes
    array = np.arange(1.0, 1 + sum(earlier))
    weights, moments = rows.grow_weights(array), rows.grow_moments(array)
    starts, before = (np.cumsum([0, *each])[:-1] for each in (sizes, earlier))
    new, places = rows.sources == NEW, np.arange(len(rows.sources))
    for start, size, unknown, grew in zip(starts, sizes, before, (1, 0, 1), strict=True):
        added = new & (places >= start) & (places < start + size)
        assert bool(grew) == added.any()
        np.testing.assert_array_equal(moments[added], 0.0)
        np.testing.assert_array_equal(weights[added], array[unknown])
    np.testing.assert_array_equal(moments[~new], weights[~new])
    assert set(weights) == set(array)


def test_what_cannot_grow(days):
    first, second, third = days
    model = InterHAt(first.schema, embedding_dim=2, num_heads=1)
    with pytest.raises(ValueError, match=r"day1/1.0.0 did not grow from another set: prepare it"):
        grow_model(model, first)
    with pytest.raises(ValueError, match=r"the model is not of day2/1.0.0.*'user' has 13 ids, the"):
        grow_model(model, third)
    with pytest.raises(ValueError, match="the model has no cross user x app: open day2"):
        grow_model(model, second.with_crosses([("user", "app")]))


def test_a_schema_that_does_not_fit_says_which_field_and_what_to_do(days):
    first, second, _ = days
    model = InterHAt(first.schema, embedding_dim=2, num_heads=1)
    message = r"data set day2.*'user' has 13 ids, the other's 19; grow_model\(model, data\) grows"
    with pytest.raises(ValueError, match=message):
        align_attention(model, second)
    model = InterHAt(second.schema, embedding_dim=2, num_heads=1)
    with pytest.raises(ValueError, match=r"'user' has 19 ids, the other's 13; build the model"):
        align_attention(model, first)


def test_a_grown_model_is_saved_and_explained(days, tmp_path):
    first, second = days[:2]
    model = InterHAt(first.schema, embedding_dim=4, num_heads=2)
    grow_model(model, second).save(tmp_path / "model.keras")
    grown = keras.models.load_model(tmp_path / "model.keras")
    inputs = second.encode(records(second.vocabularies["user"]))
    explain_records(grown, inputs, values=second.decode(inputs))
    grown.compile(Adam(), keras.losses.BinaryCrossentropy(from_logits=True))
    grown.fit(second.evaluation_batches("train", 64), verbose=0)
