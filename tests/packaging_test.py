"""Installs the library as a wheel and uses it where the repository is out of reach."""

import os
import pathlib
import shutil
import subprocess
import sys
import venv

import pytest

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]

TRAIN = """
import shutil

import keras
import numpy as np

from interhat_tf import Adam, InterHAt, kernels
from interhat_tf.input_pipeline import prepared_dataset

if shutil.which("c++"):
    assert kernels.build().exists() and kernels.are_usable()
data = prepared_dataset("synthetic_rules/rule_1", "prepared")
model = InterHAt(data.schema, embedding_dim=4, num_heads=2, order=2)
model.compile(Adam(), keras.losses.BinaryCrossentropy(from_logits=True))
history = model.fit(data.training_batches(256, seed=0).take(20), verbose=0).history
assert np.isfinite(history["loss"][0])
batch, _ = next(data.evaluation_batches("test", 8).as_numpy_iterator())
explanation = model.explain(batch)
assert explanation["field_weights"].shape == (8, 2, 10)
model.save("model.keras")
np.savez("expected.npz", logits=explanation["logits"], **batch)
"""

LOAD = """
import keras
import numpy as np

import interhat_tf

model = keras.models.load_model("model.keras")
expected = np.load("expected.npz")
explanation = model.explain({"categorical": expected["categorical"]})
np.testing.assert_allclose(explanation["logits"], expected["logits"], rtol=1e-6)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment with the wheel, and our packages behind it."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    # The build writes into its source; the repository stays as it is.
    for name in ("interhat_tf", "data", "experiments", "tests"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv/bin/python"
    # An `addsitedir` would read the outer environment's .pth files, and with
    # them an editable installation of the repository; a path does not.
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (site_packages(python) / "outer.pth").write_text("\n".join(outer) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    pip += ["--no-deps", "--no-build-isolation", "--ignore-installed", str(source)]
    subprocess.run(pip, check=True, cwd=folder)
    return python


def site_packages(python):
    return next(python.parents[1].glob("lib/python*/site-packages"))


def run(python, script, folder):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    installed = f"assert {str(site_packages(python))!r} in interhat_tf.__file__"
    script = f"import interhat_tf\n{installed}\n{script}"
    subprocess.run([str(python), "-c", script], check=True, cwd=folder, env=environment)


def test_only_the_library_is_installed(python):
    installed = site_packages(python)
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"interhat_tf", "outer.pth"}
    for dataset in ("frappe", "synthetic_rules"):
        files = {path.name for path in (installed / "interhat_tf/datasets" / dataset).iterdir()}
        assert {"__init__.py", f"{dataset}_dataset_builder.py"} <= files
        assert {"README.md", "CITATIONS.bib"} <= files


def test_trains_explains_saves_and_loads(python, tmp_path):
    run(python, TRAIN, tmp_path)
    run(python, LOAD, tmp_path)
