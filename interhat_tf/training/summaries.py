"""What a run tells TensorBoard: its settings, its history, its last figures and pictures."""

import functools
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2, summary

from interhat_tf.utils.files import read_json

FOLDER = "tensorboard"


class RunSummaries:
    """Writes the logs in a run's folder; `tensorboard --logdir=runs` shows all runs side by side.

    Args:
        folder: The run's folder.
        writes: Whether this process writes: of several workers the chief does.
    """

    def __init__(self, folder: pathlib.Path, writes: bool = True) -> None:
        self.folder, self.writes = folder, writes

    @functools.cached_property
    def writer(self) -> tf.summary.SummaryWriter:
        """The writer; its file is there from its first use on."""
        if not self.writes:
            return tf.summary.create_noop_writer()
        return tf.summary.create_file_writer(str(self.folder / FOLDER))

    def begin(self, config: Mapping[str, Any]) -> None:
        """Writes the settings, by which the HPARAMS tab lists runs.

        Args:
            config: The run's configuration, with its `architecture` and `training`.
        """
        with self.writer.as_default(step=0):
            api.hparams(hyperparameters(config), trial_id=self.folder.name)
        self.writer.flush()

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Writes figures of an epoch."""
        with self.writer.as_default(step=step):
            for name, value in figures.items():
                tf.summary.scalar(name, value)
        self.writer.flush()

    def end(self, report: Mapping[str, Any]) -> None:
        """Writes the figures of the best epoch, and that the run has finished."""
        splits = [split for split in ("validation", "test") if split in report]
        figures = {
            f"best/{split}_{name}": value
            for split in splits
            for name, value in report[split].items()
        }
        self.add(report["best_epoch"], figures)
        done = summary.session_end_pb(api_pb2.STATUS_SUCCESS)
        with self.writer.as_default(step=report["best_epoch"]):
            tf.summary.experimental.write_raw_pb(done.SerializeToString())
        self.writer.flush()


def hyperparameters(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a run's model and training that have a value, as TensorBoard takes.

    Args:
        config: The run's configuration.

    Example:

    >>> hyperparameters({"architecture": {"class": "FM", "schema": {}, "units": [8, 4]},
    ...                  "training": {"learning_rate": 0.001, "input_shards": None}})
    {'class': 'FM', 'units': '[8, 4]', 'learning_rate': 0.001}
    """
    named = {**config["architecture"], **config["training"]}
    return {
        name: value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
        for name, value in named.items()
        if value is not None and not isinstance(value, Mapping)
    }


def add_pictures(folder: pathlib.Path) -> None:
    """Adds the pictures of a finished run to its logs: every PNG file in its folder.

    Heat maps in `attention/epoch_002` belong to that epoch, counted from 0, all else to the best.

    Args:
        folder: The run's folder.
    """
    best = read_json(folder / "report.json")["best_epoch"]
    with tf.summary.create_file_writer(str(folder / FOLDER)).as_default():
        for path in sorted(folder.rglob("*.png")):
            name = path.relative_to(folder).with_suffix("")
            epoch = re.fullmatch(r"epoch_(\d+)", path.parent.name)
            if epoch:
                name = name.parent.parent / name.name
            picture = tf.io.decode_png(path.read_bytes(), channels=3)  # (height, width, 3)
            step = int(epoch[1]) + 1 if epoch else best
            tf.summary.image(name.as_posix(), picture[None], step=step)
