import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from interhat_tf import Field, Schema


@pytest.fixture(autouse=True)
def fixed_seed():
    keras.utils.set_random_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def schema():
    """Two categorical and two numerical fields, not given in the model's order."""
    return Schema(
        [
            Field("price", "numerical"),
            Field("app", "categorical", 7),
            Field("age", "numerical"),
            Field("site", "categorical", 4),
        ]
    )


@pytest.fixture
def batch(schema, rng):
    return random_batch(schema, rng)


def random_batch(schema, rng, rows=16):
    return {
        "categorical": rng.integers(0, schema.vocabulary_sizes, (rows, len(schema.categorical))),
        "numerical": rng.normal(size=(rows, len(schema.numerical))).astype("float32"),
    }


def run_python(*arguments, **environment):
    """Runs a fresh Python process in which only this repository is added to the path."""
    root = str(pathlib.Path(__file__).parents[1])
    subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=True,
        env={**os.environ, "PYTHONPATH": root, **environment},
    )
