"""Tests of `interhat compare`."""

import json
import subprocess
import sys

import pytest

import interhat

FINISHED = {
    "versions": {"machine": "2 cores"},
    "parameters": 12_345,
    "best_epoch": 2,
    "validation": {"auc": 0.75, "logloss": 0.5},
    "training": {"seconds": 1234.56, "epochs": 5},
}


@pytest.fixture
def runs(tmp_path):
    for name, rate, report in (("a", 0.001, FINISHED), ("b", 0.01, None)):
        (tmp_path / name).mkdir()
        config = {"training": {"learning_rate": rate, "seed": 0}, "crosses": [{"fields": ["x|y"]}]}
        (tmp_path / name / "config.json").write_text(json.dumps(config))
        if report:
            text = json.dumps({"config": config, **report})
            (tmp_path / name / "report.json").write_text(text)
    return tmp_path


def test_the_table(runs, capsys):
    interhat.main(["compare", str(runs / "a"), f"--run={runs / 'b'}"])
    lines = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()]
    header, rule, first, second = ([cell.strip() for cell in line] for line in lines)
    figures = ["best epoch", "epochs", "parameters", "validation auc", "validation logloss"]
    assert header == ["run", "learning rate", *figures, "seconds"]
    assert rule[0].endswith("-") and all(cell.endswith("-:") for cell in rule[1:])
    assert first == [str(runs / "a"), "0.001", "2", "5", "12,345", "0.75000", "0.50000", "1,234.6"]
    assert second == [str(runs / "b"), "0.01", *[""] * 6]


def test_it_loads_no_library(runs):
    script = "import sys, interhat; interhat.main(['compare', sys.argv[1]])\n"
    script += "assert not hasattr(sys.modules.get('tensorflow'), '__file__')"
    result = subprocess.run([sys.executable, "-c", script, str(runs)], capture_output=True)
    assert result.returncode == 0 and result.stdout.count(b"\n") == 4, result.stderr


def test_what_is_refused(capsys, tmp_path):
    for arguments, message in (
        ([], "error: --run is missing: folder of a run"),
        ([str(tmp_path)], f"error: {tmp_path} holds no run"),
    ):
        with pytest.raises(SystemExit):
            interhat.main(["compare", *arguments])
        assert capsys.readouterr().err.startswith(message)
