"""Where a result comes from: the versions of code and libraries, the machine."""

import os
import pathlib
import platform
import subprocess
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import interhat_tf
from interhat_tf import kernels


def versions() -> dict[str, Any]:
    """Returns what a result depends on beside its configuration: code, libraries, machine."""
    return {
        "interhat_tf": interhat_tf.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "kernels": kernels.are_usable(),
        "machine": machine(),
    }


def commit() -> str | None:
    """Returns the git commit of this package, marked if it is dirty, or `None` outside git."""

    def git(*arguments: str) -> subprocess.CompletedProcess:
        command = ["git", "-C", str(pathlib.Path(interhat_tf.__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    # An installed package may lie inside somebody else's repository.
    if git("ls-files", "--error-unmatch", "__init__.py").returncode:
        return None
    return git("describe", "--always", "--dirty", "--abbrev=12").stdout.strip()


def machine() -> str:
    """Returns the name of the GPU, or the number of cores and the processor's name."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    cpus = pathlib.Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip()
        for line in (cpus.read_text().splitlines() if cpus.exists() else [])
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} cores, {names[0] if names else platform.processor()}"
