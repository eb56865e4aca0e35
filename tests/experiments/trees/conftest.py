"""Records whose clicks follow from one pair of fields and a number."""

import numpy as np
import pytest

from interhat_tf import Field, Schema

SCHEMA = Schema(
    [
        Field("noise", "categorical", 5),
        Field("user", "categorical", 6),
        Field("app", "categorical", 6),
        Field("price", "numerical"),
    ]
)


@pytest.fixture
def schema():
    return SCHEMA


@pytest.fixture
def records():
    """Returns a function that draws records: their fields, (n, 4), and labels, (n,)."""

    def draw(rows, seed):
        rng = np.random.default_rng(seed)
        noise, user, app = rng.integers((5, 6, 6), size=(rows, 3)).T
        price = rng.random(rows)
        logits = np.where((user + app) % 3 == 0, 2.0, -2.0) + 2 * price
        labels = (rng.random(rows) < 1 / (1 + np.exp(-logits))).astype("float32")
        fields = np.column_stack([noise, user, app, price]).astype("float32")
        return fields, labels

    return draw
