import json
import subprocess
import sys

import pytest

from experiments.generated_logs.generator import generate
from interhat_tf.input_pipeline.catalog import prepared_dataset


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_prepare_prints_the_statistics(tmp_path):
    generate(tmp_path / "train.csv", "avazu", 1_000)
    command = [sys.executable, "-m", "experiments.prepare", "--dataset=avazu/all_fields"]
    command += [f"--raw_dir={tmp_path}", f"--data_dir={tmp_path / 'prepared'}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    data = prepared_dataset("avazu/all_fields", tmp_path / "prepared")
    assert json.loads(out) == data.statistics
    assert data.statistics["records"] == 1_000
