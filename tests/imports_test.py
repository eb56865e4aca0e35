"""Tests that the library's folders import one another one way."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).parents[1] / "interhat_tf"
# From what uses all to what all use; folders of one level do not import each other.
LEVELS = [
    {"commands"},
    {"scoring", "serving", "tuning"},
    {"explanation"},
    {"training", "models"},
    {"input_pipeline", "layers"},
    {"preprocessing", "ops"},
    {"kernels"},
]
LEVEL = {folder: level for level, folders in enumerate(LEVELS) for folder in folders}


def imported(tree):
    """Returns the folders whose modules a module imports when it runs."""
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    names = [node.module.split(".") for node in nodes if node not in for_types and node.module]
    return {name[1] for name in names if name[0] == "interhat_tf" and len(name) > 1}


def test_imports_run_one_way():
    for folder, level in LEVEL.items():
        for path in (ROOT / folder).rglob("*.py"):
            for other in imported(ast.parse(path.read_text())) - {folder}:
                assert LEVEL.get(other, len(LEVELS)) > level, f"{path} imports {other}"


def test_every_folder_has_a_level():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == {*LEVEL, "datasets", "utils"}
