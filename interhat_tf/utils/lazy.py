"""Packages whose names are imported when they are asked for."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_attributes(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Returns a package's `__getattr__` that imports a name from its module at first use.

    A model on another backend than TensorFlow so needs no TensorFlow, and none of
    the packages is slow to import for the sake of what it is not used for.

    Args:
        package: The package's `__name__`.
        modules: The module of each name.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(modules[name]), name)

    return get
