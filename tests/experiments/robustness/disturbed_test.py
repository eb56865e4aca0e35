"""Tests of the programs that kill commands, fill their disks and start two of them at once."""

import pathlib
import subprocess
import sys

import pytest

from experiments.robustness import full_disks
from experiments.robustness.commands import Command, files_of, preparing, write_log
from experiments.robustness.killed_runs import damaged_files
from interhat_tf.utils.files import read_json

IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def run(name, folder, *flags, before=()):
    command = [*before, sys.executable, "-m", f"experiments.robustness.{name}", *flags]
    subprocess.run([*command, f"--results_dir={folder}"], check=True)
    return read_json(folder / name / "summary.json")


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_killed_preparations_leave_nothing_and_end_alike(tmp_path):
    summary = run("killed_preparations", tmp_path, "--preparation_kills=2")
    assert (summary["kills"], summary["half_made"], summary["equal"]) == (2, 0, 2)


@pytest.mark.slow
def test_full_disks_are_said_and_nothing_is_half_made(tmp_path):
    if subprocess.run([*IN_A_NAMESPACE, "true"], check=False).returncode:
        pytest.skip("no user may mount a file system here")
    summary = run("full_disks", tmp_path, "--disks=3", before=IN_A_NAMESPACE)
    assert [summary[name] for name in ("disks", "said", "half_made", "equal")] == [3, 3, 0, 3]
    assert {one["command"] for one in summary["each"]} == {"prepare", "train", "save"}
    (saved,) = (one for one in summary["each"] if one["command"] == "save")
    assert "model.keras" in saved["line"]


def test_a_machine_without_mounts_is_told_how(tmp_path, monkeypatch):
    refused = subprocess.CompletedProcess([], 1, stderr="permission denied\n")
    monkeypatch.setattr(full_disks.subprocess, "run", lambda *_, **__: refused)
    with pytest.raises(ValueError, match=r"\(permission denied\): start this as `unshare"):
        full_disks.mount(tmp_path, 1)


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_pairs_end_with_what_one_alone_writes(tmp_path):
    summary = run("pairs", tmp_path, "--pairs=4")
    assert (summary["pairs"], summary["equal"], summary["wrong"]) == (4, 4, 0)
    assert [one["kind"] for one in summary["each"]] == ["alike"] * 2 + ["another"] * 2


@pytest.mark.usefixtures("quick_processes")
def test_a_command_that_fails_says_why(tmp_path):
    command = Command("prepare", tmp_path / "said.txt", preparing(tmp_path, tmp_path / "no.csv"))
    with pytest.raises(ValueError, match=r"said: error: .*no\.csv"):
        command.succeed()


def test_files_that_cannot_be_read_are_damaged_and_hidden_ones_are_not(tmp_path):
    (tmp_path / "report.json").write_text("{")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "checkpoint.npz").write_bytes(b"PK")
    (tmp_path / ".checkpoint.npz.1").write_bytes(b"PK")
    assert sorted(damaged_files(tmp_path)) == ["checkpoint.npz", "report.json"]


def test_left_over_files_are_among_those_of_a_set(tmp_path):
    log = write_log(pathlib.Path(tmp_path) / "log.csv")
    assert log.exists() and files_of(tmp_path) == {}
    (tmp_path / "day/incomplete.x").mkdir(parents=True)
    (tmp_path / "day/incomplete.x/a.tmp").write_text("a")
    (tmp_path / "day/.1.0.0.lock").write_text("")
    assert files_of(tmp_path) == {"day/incomplete.x/a.tmp": b"a"}
