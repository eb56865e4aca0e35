import numpy as np
import pytest

from experiments.faithfulness.additivity import largest_error


def test_the_largest_error_by_hand():
    explained = {
        "contributions": np.array([[[1.0, -0.5]], [[0.25, 0.25]]], "float32"),
        "bias": np.array([0.5, 0.0], "float32"),
        "logits": np.array([1.0, 0.375], "float32"),
    }
    assert largest_error(explained) == pytest.approx(0.125)
