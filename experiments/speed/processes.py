"""Functions that are measured in separate processes, round after round."""

import concurrent.futures
import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from typing import Any

from absl import flags

TURN_SECONDS = flags.DEFINE_float("turn_seconds", 0.5, "seconds of a turn, at least")
ROUNDS = flags.DEFINE_integer("rounds", 5, "rounds that count")


@contextlib.contextmanager
def fresh_process(**environment: str) -> Iterator[Callable[..., Any]]:
    """Starts a process for functions that run one after the other; it ends with the block.

    What is settled once in a process, such as how TensorFlow uses its threads, and the most
    memory that it has had, are of these functions alone.

    Args:
        **environment: Variables that the process has besides this one's.

    Yields:
        A function of a function of a module and its arguments, which returns the result.
    """
    before = dict(os.environ)
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:

        def call(function, *arguments):
            return pool.submit(function, *arguments).result()

        os.environ.update(environment)
        try:
            call(os.getpid)  # starts the process
        finally:
            os.environ.clear()
            os.environ.update(before)
        yield call


def run_alone(function: Callable[..., Any], *arguments: Any, **environment: str) -> Any:
    """Returns the result of a function that runs in a fresh process; see `fresh_process`."""
    with fresh_process(**environment) as call:
        return call(function, *arguments)
