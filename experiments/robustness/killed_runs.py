"""For programs that end training runs: where a run stands, and whether two are equal."""

import json
import pathlib
import time
import zipfile
from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np

from interhat_tf.errors import DamagedFileError
from interhat_tf.utils.files import read_json

POLL_SECONDS = 0.0005


class Process(Protocol):
    """What runs."""

    def poll(self) -> int | None:
        """Returns its exit status, `None` while it is at work."""


def wait_until(process: Process, is_moment: Callable[[], bool]) -> None:
    """Waits until the moment has come or the process has ended."""
    while process.poll() is None and not is_moment():
        time.sleep(POLL_SECONDS)


def at_least(state: dict[str, Any] | None, epoch: int, step: int) -> bool:
    """Returns whether a training has come as far as an epoch's step."""
    return state is not None and (state["epoch"], state["step"]) >= (epoch, step)


def checkpoint_state(folder: pathlib.Path) -> dict[str, Any] | None:
    """Returns where the training stood at a run's last checkpoint, `None` without one."""
    try:
        with np.load(folder / "checkpoint.npz") as arrays:
            return json.loads(str(arrays["state"]))
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise ValueError(f"{folder} holds a checkpoint that is not complete") from error


def damaged_files(folder: pathlib.Path) -> list[str]:
    """Returns the names of a run's files that cannot be read; hidden ones are to be unfinished."""
    damaged = []
    for path in folder.glob("[!.]*"):
        try:
            if path.suffix == ".json":
                read_json(path)
            elif path.suffix in (".npz", ".keras"):
                with zipfile.ZipFile(path) as file:
                    damaged += [path.name] if file.testzip() else []
        except (zipfile.BadZipFile, DamagedFileError):
            damaged.append(path.name)
    return damaged


def is_equal(folder: pathlib.Path, other: pathlib.Path) -> bool:
    """Returns whether two runs are equal.

    Their saved models have the same weights, bit for bit, and their reports are
    the same except for timings and versions.
    """
    weights, others = (
        keras.models.load_model(run / "model.keras").get_weights() for run in (folder, other)
    )
    reports = [read_json(run / "report.json") for run in (folder, other)]
    for report in reports:
        del report["training"], report["versions"]
    same = [w.tobytes() for w in weights] == [w.tobytes() for w in others]
    return same and reports[0] == reports[1]
