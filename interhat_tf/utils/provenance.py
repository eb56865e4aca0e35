"""Where a result comes from: the versions of code and libraries, the machine."""

import os
import pathlib
import platform
import shutil
import subprocess
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import interhat_tf
from interhat_tf import kernels

CPU_INFO = pathlib.Path("/proc/cpuinfo")


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
    if shutil.which("git") is None:
        return None

    def git(*arguments: str) -> subprocess.CompletedProcess:
        command = ["git", "-C", str(pathlib.Path(interhat_tf.__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    # An installed package may lie inside somebody else's repository.
    if git("ls-files", "--error-unmatch", "__init__.py").returncode:
        return None
    return git("describe", "--always", "--dirty", "--abbrev=12").stdout.strip()


def machine() -> str:
    """Returns the name of the GPU, or the number of cores, the processor's name and generation.

    Of rented machines, several generations of processors go by one name.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    processor = _first_processor()
    name = processor.get("model name", platform.processor())
    if "cpu family" in processor:
        name += f" (family {processor['cpu family']}, model {processor['model']})"
    return f"{os.cpu_count()} cores, {name}"


def _first_processor() -> dict[str, str]:
    """Returns what Linux says of the first processor, nothing on another system."""
    first, _, _ = (CPU_INFO.read_text() if CPU_INFO.exists() else "").partition("\n\n")
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
