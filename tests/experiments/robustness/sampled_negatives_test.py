import subprocess
import sys

import pytest

from interhat_tf.utils.files import read_json


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_corrections_are_compared(tmp_path):
    command = [sys.executable, "-m", "experiments.robustness.sampled_negatives", "--seeds=1"]
    command += ["--sampled_rows=5000", "--rate=0.3", f"--results_dir={tmp_path}"]
    subprocess.run(command, check=True)
    summary = read_json(tmp_path / "sampled_negatives/summary.json")
    assert list(summary["methods"]) == ["offset", "weights", "none", "all"]
    offset, weights, none, whole = summary["runs"]
    assert offset["train_rows"] == weights["train_rows"] < 0.4 * whole["train_rows"]
    # Without a correction about 1 / 0.3 times as many clicks are predicted as there are.
    assert offset["ratio"] < 0.6 * none["ratio"]
