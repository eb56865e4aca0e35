import json
import os
import pathlib
import subprocess
import sys
import time
import types

import pytest
from absl import flags
from absl.testing import flagsaver

import experiments.common.flags  # noqa: F401
from experiments.common import running, seed_flags
from experiments.common.running import run_program, train_runs


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch):
    monkeypatch.setattr(running, "parse_flags", lambda *_, **__: flags.FLAGS.mark_as_parsed())


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError, FileExistsError])
def test_an_expected_error_is_one_line(error, capsys):
    def main(_):
        raise error("a.csv:3: wrong")

    with pytest.raises(SystemExit) as exit_:
        run_program(main)
    assert exit_.value.code == 1
    assert capsys.readouterr().err == "error: a.csv:3: wrong\n"


def test_a_bug_keeps_its_traceback():
    def main(_):
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_program(main)


def test_what_a_program_needs_and_its_own_defaults(monkeypatch, capsys):
    def main(_):
        return seed_flags.SEEDS.value == [7]

    monkeypatch.undo()  # flags are parsed here
    with flagsaver.flagsaver(dataset=None), pytest.raises(SystemExit) as exit_:
        monkeypatch.setattr(sys, "argv", ["program"])
        run_program(main, required=["dataset"])
    assert exit_.value.code == 2
    message = "error: --dataset is missing: data set, as NAME or NAME/CONFIG\n"
    assert capsys.readouterr().err == message
    seeds = flags.FLAGS["seeds"].default
    try:
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as exit_:
            monkeypatch.setattr(sys, "argv", ["program", "--dataset=frappe"])
            run_program(main, required=["dataset"], seeds=[7])
    finally:
        flags.FLAGS.set_default("seeds", seeds)
    assert exit_.value.code is True


def test_help_lists_the_shared_flags(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["a_program"])
    with pytest.raises(SystemExit):
        run_program(lambda _: None)
    shown = flags.FLAGS.get_key_flags_for_module("a_program")
    assert {"dataset", "raw_dir", "data_dir"} <= {flag.name for flag in shown}


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


def test_a_run_that_fails_is_kept_on_request(monkeypatch, tmp_path):
    fake_training(monkeypatch, b=(1, "error: wrong"))
    runs = [{"output_dir": f"{tmp_path}/{name}"} for name in "abc"]
    reports = {r["output_dir"]: report for r, report in train_runs(runs, 2, keep_failures=True)}
    assert reports[f"{tmp_path}/b"] == {"failed": f"{tmp_path}/b: error: wrong"}
    assert reports[f"{tmp_path}/c"] == {"of": "c"}


def test_a_bug_ends_all_even_then(monkeypatch, tmp_path):
    def run(*_, **__):
        raise KeyError("x")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(KeyError):
        list(train_runs([{"output_dir": str(tmp_path)}], 1, keep_failures=True))


def test_a_model_that_is_none_of_the_librarys_has_a_program(monkeypatch, tmp_path):
    commands = fake_training(monkeypatch)
    monkeypatch.setitem(running.PROGRAMS, "trees", "experiments.trees")
    list(train_runs([{"model": "trees", "seed": 3, "output_dir": str(tmp_path)}], workers=1))
    assert commands[0][1:5] == ["-m", "experiments.trees", "--resume", "--model=trees"]


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


@pytest.mark.parametrize("file", ["config.json", "report.json"])
def test_a_run_on_other_data_is_run_again(monkeypatch, tmp_path, capsys, file):
    """Trees say what they were trained on in their report alone."""
    commands = fake_training(monkeypatch)
    run = {"dataset": "own", "data_dir": f"{tmp_path}/sets", "output_dir": f"{tmp_path}/a"}
    trained_on = {"records": "first"}
    list(train_runs([run], workers=1))
    config = {"data": trained_on}
    written = config if file == "config.json" else {"of": "a", "config": config}
    (tmp_path / "a" / file).write_text(json.dumps(written))
    opened = []

    def prepared_dataset(*of):
        opened.append(of)
        return types.SimpleNamespace(digests=dict(trained_on))

    monkeypatch.setattr(running, "prepared_dataset", prepared_dataset)
    list(train_runs([run], workers=1))
    assert len(commands) == 1 and not opened  # the set is not there
    info = tmp_path / "sets/own/1.0.0/dataset_info.json"
    info.parent.mkdir(parents=True)
    info.touch()
    for _ in range(2):
        list(train_runs([run], workers=1))
    assert len(commands) == 1 and opened == [("own", f"{tmp_path}/sets")]
    trained_on["records"] = "second"
    os.utime(info, (0, 0))  # it was prepared again
    assert not capsys.readouterr().out
    list(train_runs([run], workers=1))
    assert len(commands) == 2
    removed = f"{tmp_path}/a is removed: its run is of other data than own is now\n"
    assert capsys.readouterr().out == removed
