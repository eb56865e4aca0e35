"""The commands of `interhat`, a module each.

A command's docstring is its help, `define_flags()` returns its absl flags,
`REQUIRED` names those that must be given, and `main(values)` does the work with
their values. `POSITIONAL`, if present, names the flag that takes arguments without a name.
Nothing is defined globally, so that a program can run several.
"""

import importlib
import inspect
import os
import types
from collections.abc import Iterable, Sequence

from absl import flags, logging

from interhat_tf.commands.flag_groups import list_flags
from interhat_tf.errors import SettingError, ending_programs


def run(name: str, arguments: Sequence[str]) -> None:
    """Runs a command.

    Args:
        name: The command's module.
        arguments: Its flags, as on the command line.

    Raises:
        SystemExit: If something is wrong, with one line that says what; see `errors`.
    """
    run_command(importlib.import_module(f"{__name__}.{name}"), arguments)


def check(name: str, arguments: Sequence[str]) -> None:
    """Ends the program if a command's flags are wrong, and does nothing else.

    Args:
        name: The command's module.
        arguments: Its flags, as on the command line.

    Raises:
        SystemExit: As of `run`.
    """
    command = importlib.import_module(f"{__name__}.{name}")
    with ending_programs("--debug" in arguments):
        _parse(command, _flags_of(command), arguments)


def run_command(command: types.ModuleType, arguments: Sequence[str]) -> None:
    """Runs a module that is made as the commands here are, as `run` does."""
    # tfds notes every step of its work.
    logging.set_verbosity(logging.ERROR)
    values = _flags_of(command)
    if {"-h", "--help"} & set(arguments):
        print(f"{inspect.getdoc(command)}\n\n{list_flags(values)}")
        return
    with ending_programs("--debug" in arguments):
        _parse(command, values, arguments)
        command.main(values)


def _flags_of(command: types.ModuleType) -> flags.FlagValues:
    values = command.define_flags()
    define_debug_flag(values)
    return values


def _parse(command: types.ModuleType, values: flags.FlagValues, arguments: Sequence[str]) -> None:
    if flag := getattr(command, "POSITIONAL", None):
        arguments = [a if a.startswith("-") else f"--{flag}={a}" for a in arguments]
    parse_flags(values, [command.__name__, *arguments], command.REQUIRED)


def _with_home(argument: str) -> str:
    """Returns `--name=~/path` with the home folder's name, which shells leave to programs."""
    flag, equals, value = argument.partition("=")
    return flag + equals + os.path.expanduser(value) if value.startswith("~/") else argument


def define_debug_flag(values: flags.FlagValues) -> None:
    """Defines the flag that all programs have, `--debug`; `errors.ending_programs` has it."""
    flags.DEFINE_bool("debug", False, "show the traceback of an error", values)


def parse_flags(
    values: flags.FlagValues, arguments: Sequence[str], required: Iterable[str]
) -> list[str]:
    """Gives flags the values of a command line.

    Args:
        values: The flags.
        arguments: The program's name, and what follows it.
        required: Names of flags that must be given.

    Returns:
        The program's name alone.

    Raises:
        SettingError: If there is no such flag, or one is missing or has a value that it cannot.
    """
    try:
        program, *rest = values([_with_home(argument) for argument in arguments])
    except flags.Error as error:
        raise SettingError(str(error)) from error
    if rest:
        raise SettingError(f"unexpected argument {rest[0]!r}; a flag is given as --name=value")
    for name in required:
        if values[name].value is None:
            raise SettingError(f"--{name} is missing: {values[name].help}")
    return [program]
