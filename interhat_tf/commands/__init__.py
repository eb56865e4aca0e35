"""The commands of `interhat`, a module each.

A command's docstring is its help, `define_flags()` returns its absl flags,
`REQUIRED` names those that must be given, and `main(values)` does the work with
their values. Nothing is defined globally, so that a program can run several.
"""

import importlib
import inspect
import signal
import sys
import types
from collections.abc import Sequence

from absl import flags, logging


def run(name: str, arguments: Sequence[str]) -> None:
    """Runs a command.

    Args:
        name: The command's module.
        arguments: Its flags, as on the command line.

    Raises:
        SystemExit: With one line that says what is wrong, if something is.
    """
    run_command(importlib.import_module(f"{__name__}.{name}"), arguments)


def run_command(command: types.ModuleType, arguments: Sequence[str]) -> None:
    """Runs a module that is made as the commands here are, as `run` does."""
    # tfds notes every step of its work.
    logging.set_verbosity(logging.ERROR)
    values = command.define_flags()
    if {"-h", "--help"} & set(arguments):
        print(f"{inspect.getdoc(command)}\n\n{_list_flags(values)}")
        return
    try:
        _, *rest = values([command.__name__, *arguments])
        if rest:
            raise ValueError(f"unexpected argument {rest[0]!r}; a flag is given as --name=value")
        for flag in command.REQUIRED:
            if values[flag].value is None:
                raise ValueError(f"--{flag} is missing: {values[flag].help}")
        command.main(values)
    except flags.Error as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def _list_flags(values: flags.FlagValues) -> str:
    return "\n".join(
        line
        for module in values.flags_by_module_dict()
        for line in values.module_help(module).splitlines()[2:]
    )
