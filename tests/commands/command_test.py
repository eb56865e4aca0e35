"""Tests of what all commands of `interhat` share."""

import json
import subprocess
import sys

import numpy as np
import pytest

import interhat
import interhat_tf
from tests.click_log_example import write_click_log


@pytest.fixture
def exit_message(capsys):
    """Runs a command that fails on a flag; returns what it says."""

    def run(*arguments):
        with pytest.raises(SystemExit) as error:
            interhat.main(arguments)
        assert error.value.code in (1, 2)
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_lists_the_commands(arguments, capsys):
    interhat.main(arguments)
    output = capsys.readouterr().out
    assert all(f"interhat {command} " in output for command in interhat.COMMANDS)


def test_the_version_does_not_wait_for_tensorflow():
    script = (
        "import sys, interhat; interhat.main(['--version']); assert 'tensorflow' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout == f"interhat {interhat_tf.__version__}\n", result.stderr


@pytest.mark.parametrize("command", interhat.COMMANDS)
def test_help_is_the_docstring_and_the_flags(command, capsys):
    interhat.main([command, "--help"])
    output = capsys.readouterr().out
    assert f"interhat {command}" in output
    if command not in ("kernels", "compare"):
        assert "--dataset: data set, as NAME or NAME/CONFIG" in output
    if command == "prepare":
        assert "--min_count: training rows that a value needs" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict"], "there is no command 'predict'; there are prepare, train"),
        (["prepare", "--dataste=x"], "Unknown command line flag 'dataste'. Did you mean: dataset"),
        (["prepare"], "--dataset is missing: data set, as NAME or NAME/CONFIG"),
        (["prepare", "frappe"], "unexpected argument 'frappe'; a flag is given as --name=value"),
        (["prepare", "--dataset=frappe", "x"], "unexpected argument 'x'; a flag is given as --n"),
        (["prepare", "--dataset=none"], "there is no data set 'none'; known ones: amazon"),
        (["prepare", "--dataset=x", "--label=y"], "--label is about a log of your own: --log="),
        (["prepare", "--dataset=x", "--log=none.csv"], "none.csv"),
    ],
)
def test_a_mistake_is_one_line(exit_message, arguments, message):
    said = exit_message(*arguments)
    assert said.startswith("error: ") and message in said and said.count("\n") == 1


def test_debug_shows_the_traceback(exit_message):
    said = exit_message("prepare", "--dataset=x", "--label=y", "--debug").splitlines()
    assert said[0] == "Traceback (most recent call last):"
    assert "raise SettingError(" in "\n".join(said)
    assert said[-1].startswith("error: --label is about a log of your own")


def test_prepares_a_log(tmp_path, capsys):
    write_click_log(tmp_path / "clicks.csv")
    arguments = ["prepare", "--dataset=mine", f"--log={tmp_path}/clicks.csv"]
    interhat.main([*arguments, f"--data_dir={tmp_path}", "--categorical=app", "--min_count=2"])
    output = capsys.readouterr().out
    data = interhat_tf.prepared_dataset("mine", tmp_path)
    assert json.loads(output[output.index("{") :]) == data.statistics
    assert data.schema.field_names == ("app",)


def test_a_path_may_begin_with_the_home_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))  # which a shell puts in at the beginning of words
    write_click_log(tmp_path / "clicks.csv")
    interhat.main(["prepare", "--dataset=mine", "--log=~/clicks.csv", "--data_dir=~/sets"])
    assert (tmp_path / "sets/mine/1.0.0").exists()
    capsys.readouterr()


@pytest.mark.parametrize("more", ["--weight=price", "--exclude=price"])
def test_prepares_a_log_with_weights(tmp_path, more):
    write_click_log(tmp_path / "clicks.csv")
    arguments = ["prepare", "--dataset=mine", f"--log={tmp_path}/clicks.csv", more]
    interhat.main([*arguments, f"--data_dir={tmp_path}", "--negative_sampling_rate=0.25"])
    data = interhat_tf.prepared_dataset("mine", tmp_path)
    assert data.schema.field_names == ("user", "app")
    _, labels, weights = next(data.evaluation_batches("test", 100).as_numpy_iterator())
    whole = 4 - 3 * labels
    if "exclude" in more:
        np.testing.assert_array_equal(weights, whole)
    else:  # prices are below 1
        assert (weights <= whole).all() and (weights[labels == 0] > 1).any()


def test_a_dry_run_prepares_nothing(tmp_path, capsys):
    write_click_log(tmp_path / "clicks.csv")
    interhat.main(["prepare", "--dataset=mine", f"--log={tmp_path}/clicks.csv", "--dry_run"])
    assert "| app " in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["clicks.csv"]
