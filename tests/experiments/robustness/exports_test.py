"""Tests of the comparison of exported models with Python."""

import numpy as np
import pytest

from experiments.robustness.exports import OUTPUTS, as_served, differences, drawn
from interhat_tf import prepare_click_log
from interhat_tf.serving.raw_inputs import RawInputs


def test_the_largest_difference_of_each_output():
    expected = {name: np.array([0.25, 0.5]) for name in OUTPUTS}
    found = {**expected, "probability": np.array([0.25, 0.53])}
    largest = {**dict.fromkeys(OUTPUTS, 0), "probability": 0.03}
    assert differences(found, expected) == pytest.approx(largest)
    with pytest.raises(ValueError, match="an output is no number"):
        differences({**found, "effects": np.array([0.0, np.nan])}, expected)
    with pytest.raises(ValueError, match="the outputs are probability"):
        differences({"probability": found["probability"]}, expected)


def test_records_have_missing_and_unknown_values_of_every_kind(tmp_path):
    rows = drawn(2000, seed=0).assign(click=np.arange(2000) % 2)
    data = prepare_click_log(rows, name="drawn", data_dir=tmp_path)
    asked = drawn(300, seed=1, with_unknown=True)
    columns = as_served(asked, data)
    kinds = RawInputs(data).kinds
    assert {name: values.dtype == object for name, values in columns.items()} == {
        name: kind == "text" for name, kind in kinds.items()
    }
    assert set(kinds.values()) == {"text", "number", "time"}
    for name, values in columns.items():
        missing = values == "" if values.dtype == object else np.isnan(values)
        assert (missing == asked[name].isna()).all() and 0.03 < missing.mean() < 0.2
    shares = data.unknown_shares(data.encode(asked, max_unknown=1.0))
    assert shares["app"] > 0.03 and shares["M.ID"] > 0.03
