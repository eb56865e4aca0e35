import subprocess
import sys

import pytest

from interhat_tf.utils.files import read_json


@pytest.mark.slow
def test_two_workers_train_as_one_and_survive_a_kill(tmp_path):
    folders = [f"--{name}_dir={tmp_path}/{name}" for name in ("data", "runs", "results")]
    command = [sys.executable, "-m", "experiments.robustness.two_workers", *folders]
    # Its shards have several blocks each, of which the last ones are not full.
    command += ["--dataset=synthetic_rules/rule_1", "--epochs=2", "--worker_batch=512"]
    subprocess.run(command, check=True)
    summary = read_json(tmp_path / "results/two_workers/summary.json")
    assert summary["largest_relative_loss_difference"] < 1e-10
    assert summary["killed"]["equal"] and summary["killed"]["epoch"] == 2
    assert "start all workers again" in summary["killed"]["its_message"]
