"""The library of CPU kernels: how it is built, and whether it can be used."""

import concurrent.futures
import hashlib
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

import tensorflow as tf

# There is no public way to ask whether XLA compiles what is being traced.
from tensorflow.python.ops import control_flow_util

from interhat_tf.errors import KernelError

FOLDER = pathlib.Path(__file__).parent
SOURCES = sorted(path for path in FOLDER.iterdir() if path.suffix in (".cc", ".h"))
# A library of other sources or another TensorFlow is not this one.
_DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()[:12]
LIBRARY = FOLDER / f"kernels-{_DIGEST}-tensorflow-{tf.__version__}.so"
SWITCH = "INTERHAT_KERNELS"


def build() -> pathlib.Path:
    """Builds the kernels beside their sources.

    The variable `CXX` names another compiler than `c++`, and `CXXFLAGS` has more options for it.

    Returns:
        The path of the library.

    Raises:
        KernelError: If there is no compiler, it fails, or the folder cannot be written; the
            message holds what the compiler said.
    """
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    if not shutil.which(compiler[0]):
        raise KernelError(
            f"no C++ compiler {compiler[0]!r} here; on Debian: apt-get install g++, or set CXX"
        )
    try:
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".building-") as folder:
            unfinished = pathlib.Path(folder) / LIBRARY.name
            compile_to(unfinished, compiler, *shlex.split(os.environ.get("CXXFLAGS", "")))
            for old in FOLDER.glob("kernels-*.so"):
                old.unlink()
            os.replace(unfinished, LIBRARY)
    except OSError as error:
        raise KernelError(
            f"{FOLDER} cannot be written ({error.strerror}); build the kernels as its owner, or "
            f"install the package where you may write"
        ) from error
    return LIBRARY


def compile_to(
    path: pathlib.Path, compiler: Sequence[str], *options: str, also: Sequence[pathlib.Path] = ()
) -> None:
    """Compiles the kernels, and puts the digest of the library behind it.

    Args:
        path: The library's file. Its folder takes what comes of single sources, too.
        compiler: The compiler's command.
        *options: More of its options.
        also: More sources that go into the library. Defaults to none.

    Raises:
        KernelError: If it fails; the message holds what it said.
    """
    sources = [*(source for source in SOURCES if source.suffix == ".cc"), *also]
    objects = [path.parent / f"{source.stem}.o" for source in sources]
    flags = [
        # TensorFlow's headers are not ours to warn about.
        f"-isystem{flag[2:]}" if flag.startswith("-I") else flag
        for flag in tf.sysconfig.get_compile_flags()
    ]
    # A square root sets no error number, so that vectors of them can be computed.
    own = ["-O3", "-fno-math-errno", "-fPIC", "-Wall", "-Wno-psabi", *options]

    def compile_one(source: pathlib.Path, to: pathlib.Path) -> None:
        _run([*compiler, *own, *flags, "-c", str(source), "-o", str(to)])

    # Each compiler is a process, and one source takes as long as all others.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(compile_one, sources, objects))
    linked = [*map(str, objects), "-o", str(path), *tf.sysconfig.get_link_flags()]
    _run([*compiler, "-shared", *options, *linked])
    content = path.read_bytes()
    with path.open("ab") as file:
        file.write(hashlib.sha256(content).digest())


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise KernelError(f"{command[0]} failed:\n{done.stderr[-4000:]}")


def is_whole(path: pathlib.Path) -> bool:
    """Returns whether a library ends with the digest of what stands before it.

    Half a file would be mapped into memory as if it were whole, and end the process when
    what is missing is read.
    """
    content = path.read_bytes()
    size = hashlib.sha256().digest_size
    return hashlib.sha256(content[:-size]).digest() == content[-size:]


def are_usable() -> bool:
    """Returns whether the kernels can compute what is being traced or called.

    They are there, not switched off, and neither a GPU nor XLA is to do the work.
    """
    return (
        os.environ.get(SWITCH) != "0"
        and LIBRARY.exists()
        and not tf.config.list_logical_devices("GPU")
        and not control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
    )
