"""Tests that a training tells how many values of validation and test are unknown."""

import warnings

import numpy as np
import pytest

from interhat_tf.training import evaluate
from tests.training.runs import make_model, run
from tests.training.weighted_logs import make_columns, prepare_columns


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A log in which all users of validation and test are new, and some of its apps."""
    columns = make_columns(600)
    columns["app"] = np.where(columns["day"] == 3, np.arange(600) + 100, columns["app"])
    columns["user"] = columns["user"] * 1000 + np.arange(600) // 20
    options = {"split": "group:user"}
    return prepare_columns(tmp_path_factory.mktemp("log"), columns, **options)


def unknown(data, split):
    """The share of unknown values of each field, from the rows themselves."""
    batches = data.evaluation_batches(split, 1000).as_numpy_iterator()
    ids = np.concatenate([inputs["categorical"] for inputs, _ in batches])
    return dict(zip(data.schema.field_names, (ids == 0).mean(axis=0), strict=True))


def test_the_report_has_the_share_of_each_field(data, tmp_path):
    with pytest.warns(UserWarning, match="not have: user 100%; they count") as warned:
        report = run(data, tmp_path, max_epochs=1)
    assert set(report["unknown"]) == {"validation", "test"}
    for split, shares in report["unknown"].items():
        assert shares == pytest.approx(unknown(data, split))
        assert shares["user"] == 1 and 0 < shares["app"] < 0.5 and shares["day"] == 0
        told = [str(warning.message) for warning in warned]
        assert any(text.startswith(f"log/1.0.0, {split}: values that") for text in told)
    assert not any("app" in text for text in told)


def test_evaluation_warns_of_no_field_that_is_known(data):
    model = make_model(data.schema)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        evaluate(model, data, "train")
    with pytest.warns(UserWarning, match=r"log/1.0.0, test: values that training rows do not"):
        evaluate(model, data, "test")
