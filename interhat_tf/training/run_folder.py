"""What a run's folder says of itself: its configuration, and the model of a finished run.

.lock             held by the process that trains, and has its number
config.json       what was asked for
checkpoint.npz    the whole state of the training; overwritten as it goes on
tensorboard/      settings, history, last figures and pictures, for TensorBoard
best_state.npz    what a run that starts from this one goes on from
model.keras       the model with its best weights
report.json       config, versions, history and final metrics; written last
"""

import contextlib
import fcntl
import json
import os
import pathlib
import zipfile
from collections.abc import Iterator
from typing import Any

import keras

from interhat_tf.errors import DamagedFileError, SettingError
from interhat_tf.utils.files import (
    LONGEST,
    naming_damage,
    naming_errors,
    read_json,
    what_is_wrong,
)
from interhat_tf.utils.formats import FORMAT_ASSET, check_format
from interhat_tf.utils.short_text import shortened


@contextlib.contextmanager
def alone_in(folder: pathlib.Path) -> Iterator[None]:
    """Keeps other processes from training into a folder.

    The lock ends with the process, however that ends; a file that a killed one has left
    does not matter. It holds on one machine, and on others where their file system has locks.

    Args:
        folder: The folder; it is made if need be.

    Raises:
        FileExistsError: If another training is at work in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise FileExistsError(
                f"{folder}: process {file.read() or 'of another run'} is training into it; "
                f"wait for it, or choose another output folder"
            ) from error
        file.truncate(0)
        print(os.getpid(), end="", file=file, flush=True)
        yield


def check_config(folder: pathlib.Path, config: dict[str, Any], resume: bool) -> None:
    """Checks that a folder is free for a run, or holds the run that is to be resumed.

    Args:
        folder: The folder, which need not exist.
        config: What is asked for.
        resume: Whether a run in the folder is to go on.

    Raises:
        FileExistsError: If the folder holds a run and `resume` is not set.
        ValueError: If that run has another configuration.
    """
    path = folder / "config.json"
    if not path.exists():
        return
    if not resume:
        raise FileExistsError(
            f"{folder} already holds a run: resume it, or choose another output folder"
        )
    earlier, now = read_json(path), json.loads(json.dumps(config))
    check_format(path, earlier.get("format"))
    for later in {"architecture", "data", "format"} - earlier.keys():  # not in version 0.1
        now.pop(later, None)
    with naming_damage(path):
        training = earlier["training"]
        if "piece_rows" in training:  # of version 0.1 as well
            training["microbatch_size"] = training.pop("piece_rows")
        training.setdefault("criterion", "auc - logloss")  # there was no other
        for factor in ("positive_weight", "penalty_factor", "penalty_scale"):
            training.setdefault(factor, 1.0)
        training.setdefault("unknown_share", 0.0)
    if changed := differences(earlier, now):
        raise SettingError(f"{folder} holds a run of another configuration: {changed}")


def architecture(model: keras.Model) -> dict[str, Any]:
    """Returns the model's class and arguments, which two equal models share, as JSON has them."""
    config = {name: value for name, value in model.get_config().items() if name != "name"}
    return json.loads(json.dumps({"class": type(model).__name__, **config}))


def save_model(model: keras.Model, folder: pathlib.Path) -> None:
    """Saves a model as `model.keras`, which is either complete or not there.

    Raises:
        FullDiskError: If there is no room for it.
    """
    path, temporary = folder / "model.keras", folder / ".unfinished.model.keras"
    try:
        with naming_errors(path):
            model.save(temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load_saved(path: pathlib.Path) -> keras.Model:
    """Returns the model of a `.keras` file.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedFileError: If it is damaged, or not a model. The message names it.
        SettingError: If a later version has written it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; train a model first, or finish the run")
    with _naming_no_model(path):
        format = _format_of(path)
    check_format(path, format)
    with _naming_no_model(path):
        return keras.saving.load_model(path)


@contextlib.contextmanager
def _naming_no_model(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # there are many ways to be damaged
        raise DamagedFileError(
            f"{path} is not a model, or is damaged ({what_is_wrong(error)})"
        ) from error


def _format_of(path: pathlib.Path) -> Any:
    """Returns the format number of a `.keras` file, if it has one."""
    if not zipfile.is_zipfile(path):
        raise DamagedFileError("it is not a zip file, or is cut off")
    with zipfile.ZipFile(path) as file:
        name = f"assets/{FORMAT_ASSET}"
        return json.loads(file.read(name))["format"] if name in file.namelist() else None


def load_best_weights(model: keras.Model, folder: pathlib.Path) -> None:
    """Gives a model the weights of a finished run, and what was found out about them.

    Raises:
        ValueError: If the run is of another model.
    """
    path = folder / "model.keras"
    saved = load_saved(path)
    if changed := differences(architecture(saved), architecture(model), "architecture."):
        raise SettingError(f"{path} is another model: {changed}")
    model.set_weights(saved.get_weights())
    model.diagnosis, model.calibration = saved.diagnosis, saved.calibration
    model.trained_on = saved.trained_on
    # A model of version 0.1 may have none; what it lacks stays.
    model.training_settings = {**model.training_settings, **saved.training_settings}
    model.drop_effects()


def differences(earlier: Any, now: Any, prefix: str = "") -> str:
    """Says what differs between two configurations, as JSON has them; `""` if nothing does."""
    if isinstance(earlier, dict) and isinstance(now, dict):
        # An option that an earlier version did not have was off.
        keys = sorted(earlier.keys() | {key for key in now if now[key] or key in earlier})
        parts = [differences(earlier.get(key), now.get(key), f"{prefix}{key}.") for key in keys]
        return "; ".join(part for part in parts if part)
    if earlier == now:
        return ""
    # A cross may have a million combinations.
    was, is_now = (shortened(repr(value), LONGEST) for value in (earlier, now))
    return f"{prefix[:-1]} was {was}, is {is_now}"
