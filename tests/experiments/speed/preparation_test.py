"""Tests of the programs that prepare data sets, compare readers and measure preparation."""

import collections
import json
import subprocess
import sys

import pytest

from experiments.generated_logs.generator import generate
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.utils.files import read_json


def run(program, *arguments):
    command = [sys.executable, "-m", f"experiments.{program}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_prepare_prints_the_statistics(tmp_path):
    generate(tmp_path / "train.csv", "avazu", 1_000)
    out = run(
        "prepare",
        "--dataset=avazu/all_fields",
        f"--raw_dir={tmp_path}",
        f"--data_dir={tmp_path / 'prepared'}",
    )
    data = prepared_dataset("avazu/all_fields", tmp_path / "prepared")
    assert json.loads(out) == data.statistics
    assert data.statistics["records"] == 1_000


@pytest.mark.slow
def test_values_are_counted_right(tmp_path):
    path = tmp_path / "train.txt"
    generate(path, "criteo", 1_000)
    out = run("readers", f"--log={path}", "--reader=pyarrow", "--task=count")
    values = collections.defaultdict(set)
    for line in path.read_text().splitlines():
        for number, value in enumerate(line.split("\t")[14:], start=1):
            values[f"C{number}"].add(value)
    expected = {name: len(seen) for name, seen in values.items()}
    assert json.loads(out.splitlines()[-1])["result"] == expected


@pytest.mark.slow
def test_preparation_is_measured(tmp_path):
    results = tmp_path / "results.json"
    folders = (f"--folder={tmp_path / 'work'}", f"--results={results}")
    run("preparation", "--rows=3000", "--rows=6000", "--configs=all_fields", "--rounds=1", *folders)
    measured = read_json(results)
    assert [figure["rows"] for figure in measured["prepared"]] == [3_000, 6_000]
    for figure in measured["prepared"]:
        assert figure["rows_per_second"] == pytest.approx(figure["rows"] / figure["seconds"])
        assert figure["peak_gigabytes"] >= figure["gigabytes_of_imports"] > 0
        assert figure["prepared_gigabytes"] > figure["rows"] * 39 * 4 / 1e9
    # All rows, not the configuration's share of them.
    assert len(measured["read"]) == 2 and measured["read"][0]["rows"] > 3_000 * 0.7
