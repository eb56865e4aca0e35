"""Tests that `interhat train --deterministic` gives the same weights on any number of threads."""

import numpy as np
import pytest

from interhat_tf import prepare_click_log
from interhat_tf.training.run_folder import load_saved
from interhat_tf.utils.files import read_json
from tests.conftest import run_python

SCRIPT = """
import sys
import tensorflow as tf
import interhat
if "--deterministic" not in sys.argv:
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
interhat.main(["train", *sys.argv[1:]])
assert tf.config.threading.get_intra_op_parallelism_threads() == INTRA
assert tf.config.threading.get_inter_op_parallelism_threads() == INTER
"""
# Sums over as many records are made of a part for each thread.
LARGE = ("--model=dnn", "--mlp_units=400", "--dropout=0.1", "--batch_size=2048", "--max_epochs=1")


@pytest.fixture
def data_dir(tmp_path):
    rng = np.random.default_rng(0)
    log = tmp_path / "log.csv"
    clicks, users = (rng.integers(n, size=8_000).tolist() for n in (2, 50))
    rows = [f"{click},u{user}" for click, user in zip(clicks, users, strict=True)]
    log.write_text("\n".join(["click,user", *rows]) + "\n")
    prepare_click_log(log, name="clicks", data_dir=tmp_path / "data")
    return tmp_path / "data"


def trained(data_dir, threads, *flags):
    """The weights of a run with a number of threads."""
    settled = {True: (1, threads), False: (threads, 0)}["--deterministic" in flags]
    script = SCRIPT.replace("THREADS", str(threads))
    script = script.replace("INTRA", str(settled[0])).replace("INTER", str(settled[1]))
    run = data_dir.parent / f"run-{threads}-{len(flags)}"
    given = ("--dataset=clicks", f"--data_dir={data_dir}", f"--output_dir={run}")
    run_python("-c", script, *given, *LARGE, *flags, TF_NUM_INTRAOP_THREADS=str(threads))
    return load_saved(run / "model.keras").get_weights()


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_the_weights_are_the_same_on_one_thread_and_on_several(data_dir):
    one, two = (trained(data_dir, threads, "--deterministic") for threads in (1, 2))
    for weight, of_two in zip(one, two, strict=True):
        np.testing.assert_array_equal(weight, of_two)
    without = trained(data_dir, 2)
    kept = [read_json(data_dir.parent / name / "report.json") for name in ("run-2-1", "run-2-0")]
    assert [report["config"]["deterministic"] for report in kept] == [True, False]
    assert any((a != b).any() for a, b in zip(one, without, strict=True)), "a flag for nothing"
