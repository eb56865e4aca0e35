"""For programs that kill training runs: where a run stands, and whether two are equal."""

import json
import time
import zipfile

import keras
import numpy as np

from interhat_tf.utils.files import read_json

POLL_SECONDS = 0.0005


def wait_until(process, is_moment):
    """Waits until the moment has come or the process has ended."""
    while process.poll() is None and not is_moment():
        time.sleep(POLL_SECONDS)


def at_least(state, epoch, step):
    """Returns whether a training has come as far as an epoch's step."""
    return state is not None and (state["epoch"], state["step"]) >= (epoch, step)


def checkpoint_state(folder):
    """Returns where the training stood at a run's last checkpoint, `None` without one."""
    try:
        with np.load(folder / "checkpoint.npz") as arrays:
            return json.loads(str(arrays["state"]))
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise ValueError(f"{folder} holds a checkpoint that is not complete") from error


def same_weights(run, other):
    """Returns whether two runs' saved models have the same weights, bit for bit."""
    weights, others = (
        keras.models.load_model(r.folder / "model.keras").get_weights() for r in (run, other)
    )
    return [w.tobytes() for w in weights] == [w.tobytes() for w in others]


def same_report(run, other):
    """Returns whether two runs' reports are the same but for timings and versions."""
    reports = [read_json(r.folder / "report.json") for r in (run, other)]
    for report in reports:
        del report["training"], report["versions"]
    return reports[0] == reports[1]
