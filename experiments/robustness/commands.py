"""Commands of `interhat` in processes of their own, for programs that end them in many ways.

A server that has imported TensorFlow forks the processes, so that what becomes of them falls on
their work and not on that.
"""

import multiprocessing
import os
import pathlib
from typing import Any

from experiments.common.running import flag_arguments
from experiments.generated_logs.days import Days

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["experiments.common.flags", "interhat_tf.commands.prepare", "interhat_tf.commands.train"]
)

SET, LOG_ROWS = "day", 20_000
TRAINING = {
    **{"model": "dnn", "embedding_dim": 8, "mlp_units": 32, "dropout": 0.1, "ema_momentum": 0.99},
    # A checkpoint is written after every call of some steps.
    **{"batch_size": 256, "max_epochs": 2, "patience": 2, "checkpoint_minutes": 0},
}
"""The flags of a training of a moment."""


class Command:
    """A command in a process, which it starts; `subprocess.Popen` has the same methods.

    Args:
        name: The command, such as `"train"`.
        printed: The file that takes what it prints.
        flag_values: Its flags; a list is a flag given several times.
    """

    def __init__(self, name: str, printed: pathlib.Path, flag_values: dict[str, Any]):
        self._printed = printed
        arguments = [name, *flag_arguments(flag_values)]
        self._process = _FORKS.Process(target=_run, args=(arguments, printed))
        self._process.start()

    def poll(self) -> int | None:
        """Returns the exit status, `None` of one that is at work."""
        return self._process.exitcode

    def wait(self) -> int:
        """Waits for the end and returns the exit status."""
        self._process.join()
        return self._process.exitcode

    def kill(self) -> None:
        """Kills the process (SIGKILL)."""
        self._process.kill()
        self._process.join()

    def last_line(self) -> str:
        """Returns what it has printed last."""
        return (self._printed.read_text(errors="replace").strip().splitlines() or [""])[-1]

    def succeed(self) -> None:
        """Waits for the end.

        Raises:
            ValueError: If it fails; the message is its own.
        """
        if self.wait():
            raise ValueError(f"{self._printed.stem}: {self.last_line()}")


def _run(arguments: list[str], printed: pathlib.Path) -> None:
    import interhat

    with open(printed, "wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    interhat.main(arguments)


def write_log(path: pathlib.Path, seed: int = 1) -> pathlib.Path:
    """Writes the log of these programs and returns its path."""
    Days(seed).write(1, LOG_ROWS, path)
    return path


def preparing(folder: pathlib.Path, log: pathlib.Path) -> dict[str, Any]:
    """Returns the flags of `interhat prepare` of a log into a folder."""
    return {"log": log, "dataset": SET, "data_dir": folder}


def training(folder: pathlib.Path, data: pathlib.Path, **more: Any) -> dict[str, Any]:
    """Returns the flags of `interhat train` on such a set into a folder."""
    return {"dataset": SET, "data_dir": data, "output_dir": folder, **TRAINING, **more}


def files_of(folder: pathlib.Path) -> dict[str, bytes]:
    """Returns what the files of a prepared set hold, by their names.

    A file of a folder that is not there yet, or that was not removed, is among them.
    """
    of_set = (folder / SET).rglob("*")
    found = {str(path.relative_to(folder)): path for path in of_set if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if path.suffix != ".lock"}
