import subprocess
import sys

import pytest

from interhat_tf.utils.files import read_json


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_killed_runs_end_like_the_unbroken_one(flags_of_clicks, tmp_path):
    command = [sys.executable, "-m", "experiments.robustness.resume", *flags_of_clicks]
    subprocess.run([*command, "--kills=3", "--epochs=1"], check=True)
    results = read_json(tmp_path / "results/resume/summary.json")
    assert (results["runs"], results["kills"], results["equal"]) == (3, 4, 3)
    assert [run["phase"] for run in results["each"]] == ["start-up", "any", "evaluation"]
