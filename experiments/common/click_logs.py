"""Where the experiments find the logs of Criteo and Avazu, the original or a generated one."""

import pathlib
from typing import Any

import tensorflow_datasets as tfds

from experiments.generated_logs.generator import generate_once

# tfds knows a builder by its name alone, and a checkout has each under two modules.
with tfds.core.registered.skip_registration():
    from interhat_tf.datasets.avazu import avazu_dataset_builder
    from interhat_tf.datasets.criteo import criteo_dataset_builder

BUILDERS = {"criteo": criteo_dataset_builder, "avazu": avazu_dataset_builder}


def file_name(name: str) -> str:
    """Returns the name of the original log."""
    return BUILDERS[name].FILE_NAMES[0]


def generated_log(folder: str, name: str, rows: int) -> tuple[pathlib.Path, dict[str, Any]]:
    """Returns the path of a generated log, which is made if need be, and the truth about it."""
    path = pathlib.Path(folder) / f"{name}-{rows}" / file_name(name)
    return path, generate_once(path, name, rows)


def folder_of(name: str, log: pathlib.Path) -> str:
    """Returns the name of the folder of a prepared log: another log is another data set.

    Args:
        name: `"criteo"` or `"avazu"`.
        log: Path of the log, a file or a folder of parts; a sample of the log
            has another size.
    """
    files = [log] if log.is_file() else [path for path in log.iterdir() if path.is_file()]
    return f"{name}-{sum(path.stat().st_size for path in files)}"
