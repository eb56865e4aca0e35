"""Made-up logs whose records have weights, as prepared sets."""

import numpy as np
import pyarrow as pa

from interhat_tf import prepare_click_log


def make_columns(rows=1_500, seed=0):
    """Three fields of a few values each, and clicks that follow from two of them."""
    random = np.random.default_rng(seed)
    user, app, day = random.integers(0, (9, 6, 7), (rows, 3)).T
    rate = 1 / (1 + np.exp(-(0.6 * (user - 4) + np.where(app < 3, 0.7, -1.2))))
    click = (random.random(rows) < rate).astype(int)
    return {"click": click, "user": user, "app": app, "day": day}


def prepare_columns(folder, columns, name="log", **options):
    return prepare_click_log(pa.table(columns), name=name, data_dir=folder, **options)
