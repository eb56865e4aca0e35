import subprocess
import sys

import pytest

from interhat_tf.utils.files import read_json


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_two_workers_train_as_one_and_survive_a_kill(flags_of_clicks, tmp_path):
    command = [sys.executable, "-m", "experiments.robustness.two_workers", *flags_of_clicks]
    # One worker's shard has two blocks, the last one not full, the other's has one.
    subprocess.run([*command, "--epochs=2", "--worker_batch=1024"], check=True)
    summary = read_json(tmp_path / "results/two_workers/summary.json")
    assert summary["largest_relative_loss_difference"] < 1e-10
    assert summary["killed"]["equal"] and summary["killed"]["epoch"] == 2
    assert "start all workers again" in summary["killed"]["its_message"]
