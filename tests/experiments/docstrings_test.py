"""The examples in the docstrings of the experiments are true."""

import doctest
import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FILES = [path for path in (ROOT / "experiments").rglob("*.py") if ">>> " in path.read_text()]


@pytest.mark.parametrize("file", sorted(FILES), ids=lambda file: file.stem)
def test_examples_are_true(file):
    name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed
