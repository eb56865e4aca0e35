"""Tests that flags are the same with stand-ins for libraries, and known without these."""

import importlib
import json
import pathlib
import subprocess
import sys
import textwrap

import pytest
from absl import flags

import interhat

ROOT = pathlib.Path(__file__).parents[1]
PROGRAMS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted(ROOT.glob("experiments/*/*.py"))
    if "run_program(main" in path.read_text()
]


def python(script, *arguments):
    """Runs a script in a process of its own, which ends well; returns what it prints."""
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_help_is_the_same_and_loads_no_library(capsys):
    script = """
        import sys, interhat
        for command in sys.argv[1:]:
            interhat.main([command, "--help"])
        assert not hasattr(sys.modules["tensorflow"], "__file__")
    """
    found = python(script, *interhat.COMMANDS)
    for command in interhat.COMMANDS:
        interhat.main([command, "--help"])
    assert found == capsys.readouterr().out
    assert found.count("--dataset: ") == len(interhat.COMMANDS) - 2  # not of kernels, compare


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["train", "--datset=x"], "error: Unknown command line flag 'datset'. Did you mean: da"),
        (["train", "--dataset=x"], "error: --output_dir is missing: the run's folder"),
        (["train", "--preset=big"], "error: flag --preset=big: value should be one of <"),
        (["score", "--reasons=few"], "error: flag --reasons=few: invalid literal for int()"),
        (["explain", "run"], "error: unexpected argument 'run'; a flag is given as --name=value"),
    ],
)
def test_a_mistake_loads_no_library(arguments, message):
    script = """
        import sys, interhat
        try:
            interhat.main(sys.argv[1:])
        finally:
            assert "tensorflow" not in sys.modules
    """
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith(message) and result.stderr.count("\n") == 1


def test_flags_without_a_mistake_are_the_commands_own():
    script = """
        import sys, interhat
        try:
            interhat.main(["prepare", "--dataset=none", "--data_dir=/nowhere"])
        except SystemExit:
            assert hasattr(sys.modules["tensorflow"], "__file__")
    """
    python(script)


def flag_texts():
    own = flags.FLAGS.flags_by_module_dict().items()
    return {
        flag.name: [flag.help, flag.default_as_str, module]
        for module, of_module in own
        for flag in of_module
        if module.startswith("experiments.")
    }


@pytest.mark.slow
def test_programs_have_the_same_flags():
    script = """
        import importlib, json, sys
        sys.argv.append("--help")
        import experiments
        for name in sys.argv[1:-1]:
            importlib.import_module(name)
        from tests.stand_ins_test import flag_texts
        assert not hasattr(sys.modules["tensorflow"], "__file__")
        print(json.dumps(flag_texts()))
    """
    assert len(PROGRAMS) > 30
    found = json.loads(python(script, *PROGRAMS))
    for name in PROGRAMS:
        importlib.import_module(name)
    real = {name: texts for name, texts in flag_texts().items() if name in found}
    assert found == json.loads(json.dumps(real))
    assert {"epochs", "models", "seeds", "results_dir"} <= found.keys()
