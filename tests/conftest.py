import gc
import multiprocessing.spawn
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, settings

from data.synthetic_rules.synthetic_rules_dataset_builder import Builder, RuleConfig
from interhat_tf import Field, Schema
from interhat_tf.input_pipeline.dataset import PreparedDataset
from tests.quick_python import serving

# Few inputs, always the same; `pytest --hypothesis-profile=thorough` tries many others.
COMMON = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.differing_executors],
}
settings.register_profile("few", max_examples=15, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=500, **COMMON)
settings.load_profile("few")


def pytest_configure():
    """Spares these processes what TensorFlow does for long runs; those of programs are as ever.

    At an iterator's end the autotuner of `tf.data` may sleep on for as long as the iterator
    lived, and to optimise a graph takes a fifth of the time of a test that trains.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    tf.data.Dataset._apply_debug_options = lambda dataset: dataset.with_options(untuned)


def pytest_collection_modifyitems(items):
    """Puts files with slow tests first, so that none is left to one worker alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # The packaging tests download an environment first, which leaves the processor to the others.
    items.sort(key=lambda item: (item.path.stem != "packaging_test", item.path not in slow))


def pytest_collection_finish():
    """Spares the garbage collector the libraries and small rounds: a tenth of the tests' time."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(autouse=True, scope="module")
def fixed_seed_of_tensorflow():
    """Sets TensorFlow's own seed once for a file: with it TensorFlow forgets all its kernels."""
    tf.random.set_seed(0)


@pytest.fixture(autouse=True)
def fixed_seed(monkeypatch, fixed_seed_of_tensorflow):
    """Sets all other seeds for each test."""
    with monkeypatch.context() as patch:
        patch.setattr(tf.random, "set_seed", lambda seed: None)
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


@pytest.fixture(scope="session")
def rule_data(tmp_path_factory):
    """A prepared set of 3,200 training records on which an epoch takes a moment."""
    config = RuleConfig(name="small", group=(1, 2), records=4_000, num_fields=4, num_values=4)
    builder = Builder(config=config, data_dir=tmp_path_factory.mktemp("prepared"))
    builder.download_and_prepare()
    return PreparedDataset(builder)


def random_batch(schema, rng, rows=16):
    sizes = [field.vocabulary_size for field in schema.categorical]
    return {
        "categorical": rng.integers(0, sizes, (rows, len(sizes))),
        "numerical": rng.normal(size=(rows, len(schema.numerical))).astype("float32"),
    }


@pytest.fixture(scope="session")
def quick_python(tmp_path_factory):
    """A program that runs what Python would, but for the seconds that the libraries' import takes.

    For what is not about a start: libraries are loaded before, threads are not.
    """
    with serving(tmp_path_factory.mktemp("quick_python")) as program:
        subprocess.run([program, "-c", ""], check=True)  # the libraries are there
        yield program


@pytest.fixture
def quick_processes(monkeypatch, quick_python):
    """Has the processes that tests and programs start with this Python start quickly."""
    monkeypatch.setattr(sys, "executable", quick_python)
    monkeypatch.setattr(multiprocessing.spawn, "_python_exe", os.fsencode(quick_python))


def run_on_jax(*arguments, devices):
    """Runs a fresh Python process with Keras on JAX, for which the CPU is so many devices."""
    number = f"--xla_force_host_platform_device_count={devices}"
    flags = f"{os.environ['XLA_FLAGS']} {number}"  # those of all tests, too
    run_python(*arguments, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", XLA_FLAGS=flags)


def run_python(*arguments, python=None, **environment):
    """Runs a fresh Python process in which only this repository is added to the path."""
    root = str(pathlib.Path(__file__).parents[1])
    subprocess.run(
        [python or sys.executable, *map(str, arguments)],
        check=True,
        env={**os.environ, "PYTHONPATH": root, **environment},
    )
