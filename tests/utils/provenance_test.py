import os
import platform
import subprocess

import keras
import pytest
import tensorflow as tf

import interhat_tf
from interhat_tf.utils import provenance


def test_versions_name_code_libraries_and_machine():
    found = provenance.versions()
    assert found["interhat_tf"] == interhat_tf.__version__
    assert (found["tensorflow"], found["keras"]) == (tf.__version__, keras.__version__)
    assert set(found) == {
        *("interhat_tf", "commit", "python", "tensorflow", "keras", "numpy", "kernels", "machine")
    }


def test_a_package_outside_git_has_no_commit(tmp_path, monkeypatch):
    # As when it is installed in an environment that lies in somebody else's repository.
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "__init__.py").touch()  # not tracked
    monkeypatch.setattr(interhat_tf, "__file__", str(tmp_path / "__init__.py"))
    assert provenance.commit() is None


def test_without_git_there_is_no_commit(monkeypatch):
    # As in a slim image, where a training's report would be lost at its end.
    monkeypatch.setenv("PATH", "")
    assert provenance.versions()["commit"] is None


@pytest.mark.parametrize(
    "told, name",
    [
        (
            "processor\t: 0\nvendor_id\t: A\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: A B\n\n"
            "processor\t: 1\ncpu family\t: 6\nmodel\t\t: 1\nmodel name\t: another\n\n",
            "A B (family 25, model 17)",
        ),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n\n", platform.processor()),  # as on ARM
        (None, platform.processor()),  # another system
    ],
)
def test_a_machine_is_its_cores_and_the_processors_name_and_generation(
    told, name, tmp_path, monkeypatch
):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(provenance, "CPU_INFO", tmp_path / "cpuinfo")
    if told:
        provenance.CPU_INFO.write_text(told)
    assert provenance.machine() == f"{os.cpu_count()} cores, {name}"
