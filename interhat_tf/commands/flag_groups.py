"""How a command's help lists its flags: those that most need first, others under titles."""

import contextlib
from collections.abc import Iterator

from absl import flags

_UNTITLED = "flags"


@contextlib.contextmanager
def group(values: flags.FlagValues, title: str) -> Iterator[None]:
    """Lists the flags that are defined within the block under a title.

    Args:
        values: Where they are defined.
        title: The title.

    Example:

    >>> values = flags.FlagValues()
    >>> _ = flags.DEFINE_string("run", None, "folder of the run", values)
    >>> with group(values, "devices"):
    ...     _ = flags.DEFINE_string("strategy", None, "all GPUs", values)
    >>> print(list_flags(values))
      --run: folder of the run
    <BLANKLINE>
    devices:
      --strategy: all GPUs
    """
    before = set(values)
    yield
    for name in set(values) - before:
        values.register_flag_by_module(f"{title}:", values[name])


def list_flags(values: flags.FlagValues) -> str:
    """Returns the help of all flags."""
    modules = values.flags_by_module_dict()
    titles = [module for module in modules if module.endswith(":")]
    grouped = {flag.name for title in titles for flag in modules[title]}
    for name in set(values) - grouped:
        values.register_flag_by_module(_UNTITLED, values[name])
    parts = []
    for title in (_UNTITLED, *titles):
        _, _, *lines = values.module_help(title).splitlines()
        parts.append("\n".join(lines if title == _UNTITLED else [title, *lines]))
    return "\n\n".join(parts)
