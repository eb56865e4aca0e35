"""Builds the CPU kernels with sanitizers, and runs their tests at 16, 8 and 4 lanes.

    make test-sanitized

Memory that is read or written beyond its end, or after it was freed, and undefined arithmetic
end the tests. First two faults of `fault.cc`, which is in the same library, have to be found:
otherwise nothing would be. Needs GCC. Checks of each pointer for alignment and size are left
out: with them GCC takes over ten minutes for one file.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
CHECKS = "address,signed-integer-overflow,shift,integer-divide-by-zero,unreachable,return,bounds"
OPTIONS = ("-O1", "-g1", "-fno-omit-frame-pointer", f"-fsanitize={CHECKS}")
LIBRARY = "INTERHAT_SANITIZED_LIBRARY"
TESTS = (
    "attention_test.py",
    "self_attention_test.py",
    "hierarchy_test.py",
    "normalized_hierarchy_test.py",
    "augru_test.py",
    "batch_norm_test.py",
    "dice_test.py",
    "adam_test.py",
    "dropout_test.py",
    "weighted_sum_test.py",
    "inner_products_test.py",
    "gradients_test.py",
)
# Python and TensorFlow keep memory until the end, and are not built with sanitizers.
ADDRESSES = "detect_leaks=0:detect_container_overflow=0:alloc_dealloc_mismatch=0"
FAULTS = {
    "read_behind_the_end": "heap-buffer-overflow",
    "overflow": "runtime error: signed integer overflow",
}


def main() -> None:
    """Builds the library, lets it find the faults, and runs the tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "sanitized.so"
        _build(path)
        environment = {
            **os.environ,
            # The second, so that the first finds what throws exceptions.
            "LD_PRELOAD": f"{_path_of('libasan.so')} {_path_of('libstdc++.so')}",
            "ASAN_OPTIONS": ADDRESSES,
            LIBRARY: str(path),
        }
        for fault, message in FAULTS.items():
            _find(fault, message, path, environment)
        for lanes in (16, 8, 4):
            print(f"{lanes} lanes", flush=True)
            command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:xdist"]
            command += ["-p", "tests.kernels.sanitized_library", *(str(HERE / t) for t in TESTS)]
            lanes_of = {"INTERHAT_LANES": str(lanes)}
            done = subprocess.run(command, env=environment | lanes_of, check=False)
            if done.returncode:
                sys.exit(f"error: the kernels' tests failed at {lanes} lanes")


def _path_of(library: str) -> str:
    command = ["g++", f"-print-file-name={library}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _build(path: pathlib.Path) -> None:
    from interhat_tf.kernels import library

    options = (*OPTIONS, "-fno-sanitize-recover=all")
    library.compile_to(path, ["g++"], *options, also=[HERE / "fault.cc"])


def _find(fault: str, message: str, path: pathlib.Path, environment: dict[str, str]) -> None:
    script = f"import ctypes; ctypes.CDLL({str(path)!r}).{fault}(9)"
    script = f"import tensorflow; {script}"  # which the library is linked with
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0 or message not in done.stderr:
        sys.exit(f"error: the sanitizers do not find the fault {fault}: {done.stderr[-2000:]}")
    print(f"found: {message}", flush=True)


if __name__ == "__main__":
    main()
