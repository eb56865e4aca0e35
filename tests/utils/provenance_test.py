import subprocess

import keras
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
