"""Stand-ins for TensorFlow and other libraries, of which flags and `--help` need none.

What flags a program has follows from names, signatures and docstrings. With stand-ins for
what computes, its modules are imported in a third of a second instead of five; nothing
can be computed in that process. It stands beside `interhat_tf`, whose import loads the
libraries themselves.
"""

import abc
import importlib.abc
import importlib.machinery
import importlib.metadata
import os
import sys
import types
from collections.abc import Callable
from typing import Any

LIBRARIES = frozenset(
    {
        *("apache_beam", "etils", "interpret", "jax", "keras", "keras_rs", "lightgbm"),
        *("matplotlib", "onnx", "onnxruntime", "pandas", "pyarrow", "scipy", "shap", "sklearn"),
        *("tensorboard", "tensorflow", "tensorflow_datasets", "tf2onnx"),
    }
)
GROUPS = ("interhat_tf.models", "interhat_tf.datasets")
"""Entry points by which other packages add models and data sets."""
HELP = frozenset({"-h", "--help", "--helpshort", "--helpfull"})


class _Class(abc.ABCMeta):
    """What the classes are that inherit from a stand-in: their objects hold nothing."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(cls)  # type: ignore[arg-type]

    def __new__(mcs, name: str, bases: Any, namespace: Any, **arguments: Any) -> Any:
        return super().__new__(mcs, name, bases, namespace)

    def __init__(cls, name: str, bases: Any, namespace: Any, **arguments: Any) -> None:
        super().__init__(name, bases, namespace)


class StandIn(types.ModuleType):
    """What a library has under any name: a module, function, decorator or class to inherit from."""

    __version__ = "0"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(f"{self.__name__}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        decorated = len(args) == 1 and not kwargs
        if decorated and isinstance(args[0], (type, types.FunctionType)):
            return args[0]
        return self

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type]:
        return (_Class(self.__name__, (), {}),)

    def __enter__(self) -> "StandIn":
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def __getitem__(self, key: Any) -> Any:
        return self

    def __iter__(self) -> Any:
        return iter(())

    def __or__(self, other: Any) -> Any:  # of types, in annotations
        return _Class(self.__name__, (), {}) | other

    def __ror__(self, other: Any) -> Any:
        return other | _Class(self.__name__, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the stand-ins."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname.partition(".")[0] in LIBRARIES:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def are_needless() -> bool:
    """Returns whether a library is loaded already, or another package's code will want it."""
    loaded = not LIBRARIES.isdisjoint(sys.modules)
    return loaded or any(importlib.metadata.entry_points(group=group) for group in GROUPS)


def use() -> None:
    """Puts stand-ins in the libraries' place, for the rest of this process."""
    if not are_needless():
        sys.meta_path.insert(0, _Finder())


def end_on_mistake(check: Callable[[], None]) -> None:
    """Ends the program as a check of its flags does, before it waits for the libraries.

    The check runs in a process of its own, with stand-ins. An error of these themselves is
    none: what follows finds the program's.

    Args:
        check: A function that raises `SystemExit` if a flag is wrong.
    """
    if are_needless():
        return
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if (code := os.waitstatus_to_exitcode(status)) > 0:
            sys.exit(code)
        return
    code = 0
    try:
        use()
        check()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)
