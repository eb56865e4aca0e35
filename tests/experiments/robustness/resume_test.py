import subprocess
import sys

import pytest

from interhat_tf.utils.files import read_json


@pytest.mark.slow
def test_killed_runs_end_like_the_unbroken_one(tmp_path):
    folders = [f"--data_dir={tmp_path}/data", f"--runs_dir={tmp_path}/runs"]
    command = [sys.executable, "-m", "experiments.robustness.resume", "--kills=3", "--epochs=1"]
    subprocess.run([*command, *folders, f"--results_dir={tmp_path}/results"], check=True)
    results = read_json(tmp_path / "results/resume/summary.json")
    assert (results["runs"], results["kills"], results["equal"]) == (3, 4, 3)
    assert [run["phase"] for run in results["each"]] == ["start-up", "any", "evaluation"]
