"""Trainings of models that put numbers in bins."""

import numpy as np
import pytest

from interhat_tf.training import grow_model
from tests.input_pipeline.growing_logs import prepare_days
from tests.training.runs import assert_equal_weights, load, make_model, run, run_leaving_copies


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    return prepare_days(tmp_path_factory.mktemp("days"), 2)


def make(data, chosen="piecewise"):
    return make_model(data.schema, numerical_embedding=chosen)


@pytest.mark.parametrize("chosen", ["piecewise", "buckets"])
def test_bins_are_the_training_rows_quantiles(days, chosen, tmp_path):
    model = make(days[0], chosen)
    report = run(days[0], tmp_path / "run", model, max_epochs=1)
    inputs = [batch[0] for batch in days[0].evaluation_batches("train", 8192)]
    prices = np.concatenate([batch["numerical"] for batch in inputs])[:, 0]
    edges = np.asarray(model.embedding.number_layers[chosen].edges)[0]
    known = prices[~np.isnan(prices)]
    quantiles = np.quantile(known, np.linspace(0, 1, len(edges)))
    # An edge of buckets is below the quantile, but above the number below that.
    of_numbers = (known[:, np.newaxis] >= points[1:-1] for points in (edges, quantiles))
    np.testing.assert_array_equal(*of_numbers)
    assert len(np.unique(edges)) > 2
    assert np.isfinite(report["validation"]["logloss"])
    assert_equal_weights(load(tmp_path / "run"), model)


def test_a_run_that_was_killed_ends_as_an_unbroken_one(days, tmp_path, monkeypatch):
    data = days[0]
    folder, copies, model = tmp_path / "unbroken", tmp_path / "copies", make(data)
    run_leaving_copies(monkeypatch, data, folder, copies, model=model, max_epochs=2)
    resumed = make(data)
    run(data, copies / "1", resumed, resume=True, max_epochs=2)
    assert_equal_weights(resumed, load(folder))


def test_a_grown_model_keeps_its_bins(days, tmp_path):
    first, second = days
    model = make(first)
    run(first, tmp_path / "first", model, max_epochs=1)
    grown = grow_model(model, second)
    run(second, tmp_path / "second", grown, start_from=tmp_path / "first", max_epochs=1)
    of_first, of_second = (m.embedding.number_layers["piecewise"].edges for m in (model, grown))
    np.testing.assert_array_equal(of_first, of_second)
