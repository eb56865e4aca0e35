"""Tests of names that other packages add."""

import importlib.metadata

import pytest

from interhat_tf.utils.registry import Registry


class Square:
    pass


def entry(name, value):
    return importlib.metadata.EntryPoint(name, value, "shapes")


@pytest.fixture
def shapes(monkeypatch):
    """A registry, and a function that sets its entry points."""

    def install(*entries):
        monkeypatch.setattr(
            importlib.metadata, "entry_points", lambda group: entries if group == "shapes" else ()
        )

    return Registry("shape", "shapes", {"circle": "round"}), install


def test_entry_points_are_added_once(shapes):
    registry, install = shapes
    install(entry("square", f"{__name__}:Square"))
    assert list(registry) == ["circle"]
    assert registry.load() is registry and registry["square"] is Square
    install(entry("line", "nowhere:Line"))
    assert list(registry.load()) == ["circle", "square"]


def test_a_name_that_is_taken(shapes):
    registry, install = shapes
    registry.register("square")(Square)
    registry.register("square")(Square)  # a notebook's cell runs again
    message = r"there is a shape 'square' already, .*registry_test.Square: choose another name"
    with pytest.raises(ValueError, match=message):
        registry.register("square")(Registry)
    install(entry("circle", f"{__name__}:Square"))
    with pytest.raises(ValueError, match="there is a shape 'circle' already"):
        registry.load()


def test_an_entry_point_that_is_broken(shapes):
    registry, install = shapes
    install(entry("line", "nowhere:Line"))
    message = r"the shape 'line', nowhere:Line, cannot be imported \(ModuleNotFoundError: No module"
    with pytest.raises(ValueError, match=message):
        registry.load()
