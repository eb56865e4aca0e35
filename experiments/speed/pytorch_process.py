"""PyTorch models beside ours: `pytorch_models.py` in an environment that has torch and fuxictr."""

import contextlib
import json
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from absl import flags

PYTHON = flags.DEFINE_string(
    "pytorch_python", None, "Python with torch and fuxictr (`pip install torch fuxictr`)"
)
ZOO = flags.DEFINE_string(
    "fuxictr_zoo", None, "folder `model_zoo` of FuxiCTR's repository, for its InterHAt"
)


class Seconds(NamedTuple):
    """What steps took: by the clock, and by the processor, all threads together."""

    clock: float
    processor: float


class PyTorchModel:
    """A model in a process of another Python.

    Args:
        process: The process, with pipes to its standard input and from its standard output.
    """

    def __init__(self, process: subprocess.Popen):
        self._process = process
        self.facts: dict[str, Any] = self._answer()
        """`parameters`, their number, and `versions`, of torch and of fuxictr."""

    def train(self, steps: int) -> Seconds:
        """Trains for a number of steps."""
        with contextlib.suppress(BrokenPipeError):
            print(steps, file=self._process.stdin, flush=True)
        return Seconds(*self._answer())

    def _answer(self):
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return json.loads(line)
        python, _, program, *_ = self._process.args
        raise ValueError(
            f"{python} cannot run {pathlib.Path(program).name}: are torch and fuxictr installed "
            "there? What it wrote stands above"
        )


@contextlib.contextmanager
def pytorch_model(
    name: str, arrays: dict[str, np.ndarray], arguments: dict[str, Any], threads: int
) -> Iterator[PyTorchModel]:
    """Starts a model of `pytorch_models.py` on records in memory, by the flags' Python.

    Args:
        name: `"din"`, `"deepfm"` or `"interhat"`.
        arrays: What a model takes, by name, in the order that it takes it, and `labels`; a
            batch each along the first axis.
        arguments: The model's.
        threads: Threads that PyTorch may use.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "records.npz"
        np.savez(path, **arrays)
        program = pathlib.Path(__file__).with_name("pytorch_models.py")
        settings = json.dumps({"threads": threads, "arguments": arguments})
        # -P: this folder's `profile` is not Python's.
        command = [PYTHON.value, "-P", str(program), name, str(path), settings]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as process:
            try:
                yield PyTorchModel(process)
            finally:
                process.kill()
