import json
import pathlib
import subprocess
import sys
import time

import pytest
from absl import flags

from experiments.common import running
from experiments.common.running import markdown_table, mean_and_std, run_program, train_runs


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch):
    monkeypatch.setattr(running, "_parse_flags", lambda _: flags.FLAGS.mark_as_parsed())


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError, FileExistsError])
def test_an_expected_error_is_one_line(error):
    def main(_):
        raise error("a.csv:3: wrong")

    with pytest.raises(SystemExit) as exit_:
        run_program(main)
    assert exit_.value.code == "error: a.csv:3: wrong"


def test_a_bug_keeps_its_traceback():
    def main(_):
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_program(main)


@pytest.mark.parametrize("status", [0, 1])
def test_the_status_is_mains(status):
    with pytest.raises(SystemExit) as exit_:
        run_program(lambda _: status)
    assert exit_.value.code == status


def fake_training(monkeypatch, seconds=0, **results):
    """Replaces the processes; a run named in `results` fails with that status and text."""
    commands = []

    def run(command, **_):
        commands.append(command)
        flag = next(flag for flag in command if flag.startswith("--output_dir="))
        folder = pathlib.Path(flag.removeprefix("--output_dir="))
        status, errors = results.get(folder.name, (0, ""))
        time.sleep(0 if status else seconds)
        folder.mkdir(exist_ok=True)
        (folder / "report.json").write_text(json.dumps({"of": folder.name}))
        return subprocess.CompletedProcess(command, status, "", errors)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_runs_are_trained_and_their_reports_read(monkeypatch, tmp_path):
    commands = fake_training(monkeypatch)
    runs = [
        {"test": False, "mlp_units": [8, 4], "output_dir": f"{tmp_path}/{name}"} for name in "ab"
    ]
    reports = {report["of"]: run for run, report in train_runs(runs, workers=2)}
    assert reports == {"a": runs[0], "b": runs[1]}
    train = [sys.executable, "-m", "experiments.train", "--resume"]
    flags = ["--test=False", "--mlp_units=8", "--mlp_units=4", f"--output_dir={tmp_path}/a"]
    assert [*train, *flags] in commands


@pytest.mark.parametrize(
    ("status", "errors", "message"),
    [(1, "I0000 a note\nerror: wrong\n", "error: wrong"), (-9, "", "exit status -9")],
)
def test_a_run_that_fails_ends_all(monkeypatch, tmp_path, status, errors, message):
    # The others take long enough for the failure to be seen before they are through.
    commands = fake_training(monkeypatch, seconds=0.5, a=(status, errors))
    with pytest.raises(ValueError) as error:
        list(train_runs([{"output_dir": f"{tmp_path}/{name}"} for name in "abcdefgh"], workers=2))
    assert str(error.value) == f"{tmp_path}/a: {message}"
    assert len(commands) < 8


@pytest.mark.parametrize("workers", [1, 2])
def test_a_single_run_at_a_time_shows_its_progress(monkeypatch, tmp_path, workers):
    shown = []

    def run(command, stdout, stderr, **_):
        shown.append(stdout is None and stderr is None)
        return subprocess.CompletedProcess(command, 1, None, None if stderr is None else "wrong")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ValueError, match="exit status 1" if workers == 1 else "wrong"):
        list(train_runs([{"output_dir": str(tmp_path)}], workers))
    assert shown == [workers == 1]


def test_mean_and_std():
    assert mean_and_std([1.0, 2.0, 3.0]) == {"mean": 2.0, "std": 1.0}
    assert mean_and_std([5.0]) == {"mean": 5.0, "std": 0.0}


def test_markdown_table():
    assert markdown_table(["name", "AUC"], [["a", 0.5]]) == (
        "| name | AUC |\n| --- | ---: |\n| a | 0.5 |\n"
    )


def test_a_run_that_is_done_is_not_started_again(monkeypatch, tmp_path):
    commands = fake_training(monkeypatch)
    run = {"dataset": "frappe/nfm", "preset": "released", "output_dir": f"{tmp_path}/a"}
    for _ in range(2):
        assert [report for _, report in train_runs([run], workers=1)] == [{"of": "a"}]
    assert len(commands) == 1
    # Another flag, or other hyperparameters of the preset, is another run.
    list(train_runs([{**run, "order": 2}], workers=1))
    assert len(commands) == 2
    monkeypatch.setattr(running, "hyperparameters", lambda *_: ({"order": 7}, {}))
    list(train_runs([{**run, "order": 2}], workers=1))
    assert len(commands) == 3
