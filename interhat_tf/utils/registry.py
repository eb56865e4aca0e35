"""What has a name on the command line: the package's own, and what other packages add."""

import importlib.metadata
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from interhat_tf.errors import SettingError

Thing = TypeVar("Thing")


class Registry(dict[str, Any]):
    """Things by name.

    A package adds its own by an entry point, in its `pyproject.toml`, of which the commands
    know once it is installed:

        [project.entry-points."interhat_tf.models"]
        my_model = "my_package.models:MyModel"

    and a script or a notebook by the decorator `register`, for as long as it runs.

    Args:
        kind: What they are, for messages.
        group: The group of the entry points.
        own: The package's own. Defaults to none.

    Example:

    >>> shapes = Registry("shape", "my_package.shapes", {"circle": "round"})
    >>> @shapes.register("square")
    ... class Square:
    ...     pass
    >>> list(shapes)
    ['circle', 'square']
    """

    def __init__(self, kind: str, group: str, own: Mapping[str, Any] | None = None):
        super().__init__(own or {})
        self.kind, self.group = kind, group
        self._is_loaded = False

    def register(self, name: str) -> Callable[[Thing], Thing]:
        """Returns a decorator that gives a class, or a function that makes one, a name.

        Args:
            name: The name. What the same code registers again, as a notebook does, replaces
                what it was.

        Raises:
            SettingError: If the name is another's.
        """

        def add(thing: Thing) -> Thing:
            if name in self and _origin(self[name]) != _origin(thing):
                raise SettingError(
                    f"there is a {self.kind} {name!r} already, {_origin(self[name])}: choose "
                    f"another name for {_origin(thing)}"
                )
            self[name] = thing
            return thing

        return add

    def load(self) -> Self:
        """Adds what installed packages name by entry points, and returns the registry.

        Raises:
            SettingError: If one cannot be imported, or its name is another's.
        """
        if not self._is_loaded:
            for entry in importlib.metadata.entry_points(group=self.group):
                try:
                    thing = entry.load()
                except Exception as error:  # whatever another package's code raises
                    raise SettingError(
                        f"the {self.kind} {entry.name!r}, {entry.value}, cannot be imported "
                        f"({type(error).__name__}: {error})"
                    ) from error
                self.register(entry.name)(thing)
            self._is_loaded = True
        return self


def _origin(thing: Any) -> str:
    name = getattr(thing, "__qualname__", type(thing).__qualname__)
    return f"{getattr(thing, '__module__', '')}.{name}"
