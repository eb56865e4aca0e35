"""Tests of runs that start from earlier ones: nothing of a training's state is lost."""

import dataclasses
import types

import keras
import numpy as np
import pytest

from interhat_tf.models import LR
from interhat_tf.training import TrainingSettings, grow_model, loop, train
from interhat_tf.training.continuation import FILE, EarlierRun
from interhat_tf.training.growth import rows_of_tables
from tests.input_pipeline.growing_logs import prepare_days
from tests.training.loop_test import script
from tests.training.runs import assert_equal_weights, load, make_model, run, run_leaving_copies


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    return prepare_days(tmp_path_factory.mktemp("days"), 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"effect_weight": 0.05},
        {"ema_momentum": 0.9},
        {"optimizer": "lazy_adam", "ema_momentum": 0.9, "microbatch_size": 10},
    ],
    ids=str,
)
def test_an_epoch_after_another_run_is_that_of_an_unbroken_run(
    rule_data, tmp_path, monkeypatch, settings
):
    arguments = {"dropout": 0.0 if "microbatch_size" in settings else 0.2}
    script(monkeypatch, 0.6, 0.7)
    unbroken = make_model(rule_data.schema, **arguments)
    run(rule_data, tmp_path / "unbroken", unbroken, max_epochs=2, test=False, **settings)

    script(monkeypatch, 0.6, 0.7, 0.7)  # the report has the best epoch's too
    first = make_model(rule_data.schema, **arguments)
    run(rule_data, tmp_path / "first", first, max_epochs=1, test=False, **settings)
    batches = loop.distribute_batches
    monkeypatch.setattr(
        loop,
        "distribute_batches",
        lambda *a, first_epoch, **order: batches(*a, first_epoch=first_epoch + 1, **order),
    )
    second = make_model(rule_data.schema, seed=1, **arguments)
    script(monkeypatch, 0.7)
    run(rule_data, tmp_path / "second", second, start_from=tmp_path / "first", max_epochs=1,
        test=False, **settings)  # fmt: skip
    assert_equal_weights(second, unbroken)


def test_rows_of_new_values_join_the_state(days, tmp_path):
    first, second = days
    chosen = {"batch_size": 50, "ema_momentum": 0.9, "max_epochs": 1}
    settings = TrainingSettings(**chosen, input_shards=1, unknown_share=0.0)
    # A penalty, so that the unknown value has moments as well.
    model = make_model(first.schema, name="model", embedding_l2=1e-3)
    train(model, first, tmp_path / "first", settings, test=False)
    arrays = np.load(tmp_path / "first" / FILE)
    grown = grow_model(model, second)
    rows = rows_of_tables(grown, first.schema, second.growth)["model/embedding/table"]
    table_loop = loop._Loop(grown, second, settings, tmp_path / "second")
    shares = []
    head = types.SimpleNamespace(variables=[], follow_learning_rate=shares.append)
    trained = dataclasses.replace(table_loop.trained, alignments=[head])
    EarlierRun(tmp_path / "first").restore(trained, second)
    assert shares == [1.0]  # a head learns at its first rate again
    found = {"weights": 0, "moments": 0, "same": 0}
    for i, entry in enumerate(table_loop.trained.variables()):
        earlier, now = arrays[f"variable_{i}"], np.asarray(entry.variable)
        if entry.path != "model/embedding/table":
            np.testing.assert_array_equal(now, earlier)
            found["same"] += 1
        else:
            grow = rows.grow_moments if entry.is_moment else rows.grow_weights
            np.testing.assert_array_equal(now, grow(earlier))
            assert len(now) > len(earlier)
            found["moments" if entry.is_moment else "weights"] += 1
    assert found["weights"] == 2 and found["moments"] == 2  # the table and its average
    assert table_loop.optimizer.iterations == first.num_batches(50)


@pytest.mark.slow
def test_a_run_that_started_from_another_resumes_exactly(days, tmp_path, monkeypatch):
    first, second = days
    model = make_model(first.schema)
    run(first, tmp_path / "first", model, max_epochs=2, ema_momentum=0.9)
    grown = {"start_from": tmp_path / "first", "max_epochs": 2, "ema_momentum": 0.9}
    expected = grow_model(load(tmp_path / "first"), second)
    copies = tmp_path / "copies"
    grown["model"] = expected
    run_leaving_copies(monkeypatch, second, tmp_path / "unbroken", copies, **grown)
    for at in (1, 3):
        grown["model"] = grow_model(load(tmp_path / "first"), second)
        run(second, copies / str(at), resume=True, **grown)
        assert_equal_weights(grown["model"], expected)


def test_settings_are_those_of_the_earlier_run_and_the_rate_begins_anew(days, tmp_path):
    first, second = days
    settings = TrainingSettings(batch_size=60, max_epochs=2, learning_rate=0.01, patience=1)
    model = LR(first.schema)
    train(model, first, tmp_path / "first", settings, test=False)
    grown = grow_model(load(tmp_path / "first"), second)
    report = train(grown, second, tmp_path / "second", start_from=tmp_path / "first", test=False)
    assert report["config"]["training"]["batch_size"] == 60
    assert report["config"]["start_from"] == str(tmp_path / "first")
    assert report["history"][0]["learning_rate"] == pytest.approx(0.01)


@pytest.mark.slow
def test_the_state_is_that_of_the_best_epoch_but_for_the_rate(days, tmp_path, monkeypatch):
    first, second = days
    script(monkeypatch, 0.6, 0.5, 0.7, 0.6)  # the second drops the rate, the third is the best
    model = LR(first.schema)
    report = run(first, tmp_path / "first", model, learning_rate=0.01, patience=2, test=False)
    assert report["training"]["epochs"] == 5
    steps = EarlierRun(tmp_path / "first")._arrays[f"variable_{len(model.variables)}"]
    assert steps == 3 * first.num_batches(50)
    grown = grow_model(load(tmp_path / "first"), second)
    report = train(grown, second, tmp_path / "second", start_from=tmp_path / "first", test=False)
    assert report["history"][0]["learning_rate"] == pytest.approx(0.01)


def test_what_cannot_be_gone_on_from(days, rule_data, tmp_path):
    first, second = days
    settings = TrainingSettings(batch_size=50, max_epochs=1)
    model = make_model(first.schema)
    train(model, first, tmp_path / "first", settings, test=False)
    grown = grow_model(model, second)

    def refused(message, model=grown, data=second, start_from="first", **changes):
        changed = TrainingSettings(**{"batch_size": 50, "max_epochs": 1, **changes})
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            train(model, data, tmp_path / "no", changed, start_from=tmp_path / start_from)
        assert not (tmp_path / "no").exists()

    refused("config.json is missing: start_from needs the folder", start_from="none")
    refused("ema_momentum was None in .* and is 0.9", ema_momentum=0.9)
    refused("optimizer was adam in .* and is lazy_adam", optimizer="lazy_adam")
    refused(
        r"is a run on day1/1.0.0, and .*did not grow from it: prepare it with grow=",
        model=make_model(rule_data.schema),
        data=rule_data,
    )
    other = make_model(second.schema, embedding_dim=6)
    refused("is a run of another model: embedding_dim was 4, is 6; mlp_units", model=other)
    keras.utils.set_random_seed(0)
    (tmp_path / "first" / FILE).write_bytes(b"PK")
    refused("best_state.npz is damaged .*; start from another run")
