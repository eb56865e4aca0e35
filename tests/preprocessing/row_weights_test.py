"""Tests of the weights of a log's rows."""

import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.preprocessing.row_weights import RowWeights
from interhat_tf.preprocessing.text_chunks import TextChunk

LABELS = np.array([0, 1, 0], np.uint8)
CHUNK = TextChunk("log.csv", 5, 3, rows=3, offset=0, length=9)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([0, 3, 2]),
        pa.array([0.0, 3.0, 2.0], pa.float32()),
        pa.array(["0", " 3 ", "2e0"]),
        pa.array(["0", "3", "2"]).dictionary_encode(),
        pa.array([0, 3, 2]).cast(pa.decimal128(30, 2)),
    ],
)
def test_columns_of_all_types(column):
    weights = RowWeights("w", 0.25).read(pa.table({"w": column}), LABELS, CHUNK)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights, [0, 3, 8])


def test_sampled_negatives_alone():
    weights = RowWeights(None, 0.1).read(pa.table({"x": [1, 2, 3]}), LABELS, CHUNK)
    np.testing.assert_array_equal(weights, np.float32([10, 1, 10]))


@pytest.mark.parametrize(
    "wrong", [-1.0, None, np.nan, np.inf, 1e39, 1e-46, "-0.5", "NaN", "many", "", "1,5"]
)
def test_a_wrong_weight_names_its_line(wrong):
    column = pa.array(["1" if isinstance(wrong, str) else 1.0, wrong, wrong])
    with pytest.raises(ValueError, match=r"^log\.csv:6: w is .*; a weight is a finite number, at"):
        RowWeights("w").read(pa.table({"w": column}), LABELS, CHUNK)


@pytest.mark.parametrize("rate", [0.0, -0.1, 10, np.nan])
def test_a_rate_is_a_share(rate):
    with pytest.raises(ValueError, match=r"share of the rows without a click .* above 0 and at"):
        RowWeights(None, rate)
