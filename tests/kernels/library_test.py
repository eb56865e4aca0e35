import hashlib
import importlib
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf

import interhat_tf
from interhat_tf import errors, kernels
from interhat_tf.kernels import library, operations
from tests.conftest import run_python
from tests.kernels.reference import needs_kernels


@pytest.mark.parametrize(
    "compiler, message",
    [("no-such-compiler -x", "no C\\+\\+ compiler 'no-such-compiler'"), ("false", "false failed")],
)
def test_a_build_that_fails_says_why_and_leaves_nothing(monkeypatch, tmp_path, compiler, message):
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    monkeypatch.setattr(library, "LIBRARY", tmp_path / "kernels-new.so")
    (tmp_path / "kernels-old.so").write_bytes(b"")
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(RuntimeError, match=message):
        kernels.build()
    assert [path.name for path in tmp_path.iterdir()] == ["kernels-old.so"]


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(library, "FOLDER", tmp_path / "file")
    with pytest.raises(
        errors.KernelError, match=r"file cannot be written \(Not a directory\); build"
    ):
        kernels.build()


@pytest.mark.parametrize("content", [b"", b"nothing of the kind"])
def test_a_library_that_cannot_be_loaded_says_what_to_do(monkeypatch, tmp_path, content):
    path = tmp_path / "kernels.so"
    path.write_bytes(content)
    monkeypatch.setattr(library, "LIBRARY", path)
    advice = "build it again with `interhat kernels`, or set INTERHAT_KERNELS=0"
    with pytest.raises(errors.KernelError, match=rf"kernels.so is cut off or damaged; {advice}"):
        operations._load.__wrapped__()
    path.write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(errors.KernelError, match=rf"kernels.so cannot be loaded .*; {advice}"):
        operations._load.__wrapped__()


@pytest.mark.usefixtures("quick_processes")
@needs_kernels
def test_half_a_library_ends_no_process(tmp_path):
    """A process that maps it into memory dies of a bus error as soon as it reads the rest."""
    half = tmp_path / "half.so"
    content = kernels.LIBRARY.read_bytes()
    half.write_bytes(content[: len(content) // 2])
    script = f"""
import pathlib
import pytest
from interhat_tf import errors
from interhat_tf.kernels import library, operations
library.LIBRARY = pathlib.Path({str(half)!r})
with pytest.raises(errors.KernelError, match="half.so is cut off or damaged"):
    operations._load()
"""
    run_python("-c", script)


@needs_kernels
def test_another_import_of_the_package_in_one_process(monkeypatch):
    """As a notebook's reload does it: TensorFlow has the operations and gradients already."""
    query = tf.ones((2, 3, 4))
    expected = kernels.attention(query, query, query, 2, 1.0)
    monkeypatch.setattr(interhat_tf, "kernels", kernels)  # what the import sets is taken back
    for name in [name for name in sys.modules if name.startswith("interhat_tf.kernels")]:
        monkeypatch.delitem(sys.modules, name)
    again = importlib.import_module("interhat_tf.kernels")
    assert again is not kernels
    with tf.GradientTape() as tape:
        tape.watch(query)
        output = again.attention(query, query, query, 2, 1.0)
    np.testing.assert_array_equal(output, expected)
    assert tape.gradient(output, query).shape == query.shape


@pytest.mark.usefixtures("quick_processes")
@needs_kernels
@pytest.mark.slow
@pytest.mark.parametrize("lanes", [4, 8])
def test_processors_with_narrower_vectors(lanes):
    """The other branches of the same library, each in a separate process."""
    folder = pathlib.Path(__file__).parent
    tests = (folder / f"{name}_test.py" for name in ("attention", "self_attention", "adam"))
    run_python("-m", "pytest", "-q", "-p", "no:xdist", *tests, INTERHAT_LANES=str(lanes))
