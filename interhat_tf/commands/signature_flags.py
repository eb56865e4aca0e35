"""Flags that follow from a signature: an argument is written once, where it is used."""

import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable
from typing import Any

from absl import flags


def define_from_signatures(
    functions: Iterable[Callable], values: flags.FlagValues, skip: Collection[str] = ()
) -> None:
    """Defines a flag for each argument of some functions or classes; none has a default.

    What an argument is follows from its annotation, and what the flag's help says
    from the first sentence about it in a docstring's `Args`. Of functions that
    share an argument the first one counts.

    Args:
        functions: The functions; their arguments have annotations.
        values: Where the flags are defined.
        skip: Names of arguments that get no flag.

    Example:

    >>> def draw(width: int, title: str | None = None):
    ...     '''Draws.
    ...
    ...     Args:
    ...         width: Width in inches. No margin.
    ...         title: What stands above.
    ...     '''
    >>> values = flags.FlagValues()
    >>> define_from_signatures([draw], values)
    >>> _ = values(["draw", "--width=3"])
    >>> given(values, arguments_of([draw]))
    {'width': 3}
    >>> values["width"].help
    'Width in inches'
    """
    for function in functions:
        helps = _sentences(getattr(function, "func", function))
        annotations = {
            p.name: p.annotation for p in inspect.signature(function).parameters.values()
        }
        for name in arguments_of([function], (*skip, *values)):
            _definer(annotations[name])(name, None, helps[name], flag_values=values)


def arguments_of(functions: Iterable[Callable], skip: Collection[str] = ()) -> set[str]:
    """Returns the names of the arguments of functions or classes, but those to skip."""
    arguments = (a for f in functions for a in inspect.signature(f).parameters.values())
    return {a.name for a in arguments if a.kind is not a.VAR_KEYWORD} - set(skip)


def given(values: flags.FlagValues, names: Iterable[str]) -> dict[str, Any]:
    """Returns the values of those flags that were given, by name."""
    return {name: values[name].value for name in names if values[name].value is not None}


def _definer(annotation: Any) -> Callable:
    """Returns absl's function that defines a flag of a type."""
    is_union = isinstance(annotation, types.UnionType)
    kinds = typing.get_args(annotation) if is_union else (annotation,)
    for kind, define in (
        (bool, flags.DEFINE_bool),
        (int, flags.DEFINE_integer),
        (float, flags.DEFINE_float),
        (str, flags.DEFINE_string),
    ):
        if kind in kinds:
            return define
    return flags.DEFINE_multi_integer  # a sequence of sizes


def _sentences(function: Callable) -> dict[str, str]:
    """Returns the first sentence that a docstring's `Args` has about each argument."""
    found: dict[str, str] = {}
    # What a class leaves to the classes above it, their docstrings tell.
    for owner in inspect.getmro(function) if inspect.isclass(function) else [function]:
        text = inspect.cleandoc(owner.__doc__ or "").partition("Args:\n")[2]
        for name, entry in re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", text, re.MULTILINE):
            sentence = re.split(r"[.;](?:\s|$)", " ".join(entry.split()))[0]
            found.setdefault(name, sentence.replace("`", ""))
    return found
