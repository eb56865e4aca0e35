"""Installs the library as a user does, with all that it needs, and runs README's examples."""

import os
import pathlib
import re
import shutil
import subprocess
import venv

import pytest

from tests.click_log_example import write_click_log
from tests.quick_python import serving

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

KERNELS_ARE_USABLE = """
from interhat_tf import kernels

assert kernels.are_usable()
"""

PUBLIC_DATA = """
from interhat_tf.input_pipeline.catalog import prepared_dataset

data = prepared_dataset("synthetic_rules/rule_1", "prepared")
batch, labels = next(data.evaluation_batches("test", 8).as_numpy_iterator())
assert batch["categorical"].shape == (8, 10)
"""

LOAD = """
import keras

model = keras.models.load_model("model.keras")
assert type(model).__name__ == "InterHAt"
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment that holds the library and its dependencies alone."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    # The build writes into its source; the repository stays as it is.
    for name in ("interhat_tf", "data", "experiments", "tests"):
        ignore = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in (
        "interhat.py",
        "interhat_stand_ins.py",
        "setup.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
    ):
        shutil.copy(ROOT / name, source)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    pip = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    # Python compiles of the libraries what is imported.
    subprocess.run([*pip, "--no-compile", source], check=True, cwd=folder)
    return python


@pytest.fixture(scope="module")
def quick(python, tmp_path_factory):
    """The same interpreter, with the libraries loaded."""
    with serving(tmp_path_factory.mktemp("quick"), python, environment()) as program:
        yield program


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder where the repository is out of reach, with a click log in it."""
    folder = tmp_path_factory.mktemp("workplace")
    write_click_log(folder / "clicks.csv")
    return folder


def site_packages(python):
    return next(python.parents[1].glob("lib/python*/site-packages"))


def environment():
    return {name: v for name, v in os.environ.items() if not name.startswith("PYTHON")}


INSTALLED = """
import sys, interhat_tf

assert interhat_tf.__file__.startswith(f"{sys.prefix}/lib"), interhat_tf.__file__
"""


def run(python, script, folder):
    command = [python, "-c", INSTALLED + script]
    subprocess.run(command, check=True, cwd=folder, env=environment())


def test_only_the_library_is_installed(python):
    installed = site_packages(python)
    for other in ("experiments", "tests", "data", "notebooks"):
        assert not (installed / other).exists()
    for dataset in ("frappe", "synthetic_rules"):
        files = {path.name for path in (installed / "interhat_tf/datasets" / dataset).iterdir()}
        assert {"__init__.py", f"{dataset}_dataset_builder.py"} <= files
        assert {"README.md", "CITATIONS.bib"} <= files


def test_the_examples_run_one_after_the_other(quick, workplace):
    assert len(EXAMPLES) >= 2
    for example in EXAMPLES:
        run(quick, example, workplace)
    run(quick, LOAD, workplace)


def test_public_data_sets_open(quick, tmp_path):
    run(quick, PUBLIC_DATA, tmp_path)


def said(folder, *command, **variables):
    """Returns what a command prints, which ends well."""
    given = {"cwd": folder, "env": environment() | variables}
    result = subprocess.run(command, **given, stdout=subprocess.PIPE, text=True)
    assert result.returncode == 0, command
    return result.stdout


def test_the_wheel_says_that_it_is_typed(python):
    assert (site_packages(python) / "interhat_tf/py.typed").exists()


def test_the_commands_work_on_a_log_of_ones_own(python, quick, workplace):
    assert said(workplace, python.parent / "interhat", "--version").startswith("interhat 0.")

    def interhat(*arguments):
        return said(workplace, quick, "-m", "interhat", *arguments)

    mine = ["--dataset=mine", "--data_dir=mine"]
    assert "train" in interhat("prepare", *mine, "--log=clicks.csv")
    small = ["--embedding_dim=4", "--max_epochs=1", "--output_dir=run"]
    assert "test: auc" in interhat("train", *mine, *small)
    explained = interhat("explain", *mine, "--run=run", "--where=app=maps")
    assert explained.startswith("explanations.html: ")


@pytest.mark.skipif(not shutil.which("c++"), reason="there is no C++ compiler")
def test_the_kernels_build(python, quick, tmp_path):
    # How fast they are is not looked at here, and they are built in half the time.
    built = said(tmp_path, python.parent / "interhat", "kernels", CXXFLAGS="-O0")
    assert built.startswith("built ")
    run(quick, KERNELS_ARE_USABLE, tmp_path)
