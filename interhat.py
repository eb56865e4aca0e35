"""The command `interhat`, which comes with the package: `interhat train --help`.

It stands beside `interhat_tf` so that `--version`, `--help` and a mistake in a flag need
not wait for TensorFlow. `python -m interhat` is the same.
"""

import importlib
import os
import pathlib
import sys
import types
from collections.abc import Sequence

import interhat_stand_ins

COMMANDS = {
    "prepare": "prepare a click log or a public data set",
    "train": "train a model on a prepared data set",
    "tune": "find a model's hyperparameters, on validation",
    "calibrate": "make a model's probabilities come true as often as they say",
    "score": "write a log's rows again, with probability and reasons",
    "export": "write a SavedModel or an ONNX file, which take a log's raw values",
    "explain": "write a page that explains a model's predictions",
    "compare": "list runs: the settings that differ, and their figures",
    "kernels": "build the CPU kernels, with any C++ compiler",
}

COMPUTING_NOTHING = ("compare",)
"""Those that need no library but Python's own."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the arguments name, those of the command line by default.

    Raises:
        SystemExit: If something is wrong, with one line that says what.
    """
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help", "help"):
        print("usage: interhat COMMAND [--flag=value ...]\n")
        for command, summary in COMMANDS.items():
            print(f"  interhat {command:10}{summary}")
        print("\nEach lists its flags with --help. interhat --version prints the version.")
    elif name == "--version":
        source = (pathlib.Path(__file__).parent / "interhat_tf/__init__.py").read_text()
        print("interhat", source.partition('__version__ = "')[2].partition('"')[0])
    elif name in COMMANDS:
        # TensorFlow greets on standard error with what processor it has found.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        if name in COMPUTING_NOTHING or interhat_stand_ins.HELP & set(rest):
            interhat_stand_ins.use()
        else:
            interhat_stand_ins.end_on_mistake(lambda: _commands().check(name, rest))
        _commands().run(name, rest)
    else:
        print(
            f"error: there is no command {name!r}; there are {', '.join(COMMANDS)}", file=sys.stderr
        )
        sys.exit(2)  # as `interhat_tf.errors.SettingError` does, without waiting for TensorFlow


def _commands() -> types.ModuleType:
    return importlib.import_module("interhat_tf.commands")


if __name__ == "__main__":
    main()
