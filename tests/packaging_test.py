"""Installs the library as a user does, with all that it needs, and runs README's examples."""

import os
import pathlib
import re
import shutil
import subprocess
import venv

import pytest

from tests.click_log_example import write_click_log

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
    subprocess.run([*pip, source], check=True, cwd=folder)
    return python


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


def run(python, script, folder):
    installed = f"assert {str(site_packages(python))!r} in interhat_tf.__file__"
    script = f"import interhat_tf\n{installed}\n{script}"
    subprocess.run([str(python), "-c", script], check=True, cwd=folder, env=environment())


def test_only_the_library_is_installed(python):
    installed = site_packages(python)
    for other in ("experiments", "tests", "data", "notebooks"):
        assert not (installed / other).exists()
    for dataset in ("frappe", "synthetic_rules"):
        files = {path.name for path in (installed / "interhat_tf/datasets" / dataset).iterdir()}
        assert {"__init__.py", f"{dataset}_dataset_builder.py"} <= files
        assert {"README.md", "CITATIONS.bib"} <= files


def test_the_examples_run_one_after_the_other(python, workplace):
    assert len(EXAMPLES) >= 2
    for example in EXAMPLES:
        run(python, example, workplace)
    run(python, LOAD, workplace)


def test_public_data_sets_open(python, tmp_path):
    run(python, PUBLIC_DATA, tmp_path)


def command(python, folder, *arguments):
    """Runs the command `interhat` of the environment; returns what it prints."""
    command = [python.parent / "interhat", *arguments]
    result = subprocess.run(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert result.returncode == 0, arguments
    return result.stdout


def test_the_wheel_says_that_it_is_typed(python):
    assert (site_packages(python) / "interhat_tf/py.typed").exists()


def test_the_commands_work_on_a_log_of_ones_own(python, workplace):
    assert command(python, workplace, "--version").startswith("interhat 0.")
    mine = ["--dataset=mine", "--data_dir=mine"]
    assert "train" in command(python, workplace, "prepare", *mine, "--log=clicks.csv")
    small = ["--embedding_dim=4", "--max_epochs=1", "--output_dir=run"]
    assert "test: auc" in command(python, workplace, "train", *mine, *small)
    said = command(python, workplace, "explain", *mine, "--run=run", "--where=app=maps")
    assert said.startswith("explanations.html: ")


@pytest.mark.skipif(not shutil.which("c++"), reason="there is no C++ compiler")
def test_the_kernels_build(python, tmp_path):
    assert command(python, tmp_path, "kernels").startswith("built ")
    run(python, KERNELS_ARE_USABLE, tmp_path)
