"""Times cases of a grid in turn, each in a process of its kind."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from tqdm.auto import tqdm

from experiments.speed.grids import Case
from experiments.speed.processes import fresh_process
from experiments.speed.pytorch_cases import pytorch_case
from experiments.speed.timed_cases import prepare, time_case
from interhat_tf import kernels
from interhat_tf.utils.threads import use_one_thread_an_operation


def time_in_turn(
    cases: list[Case], rounds: int, turn_seconds: float
) -> tuple[list[list[float]], list[dict[str, Any]]]:
    """Times cases in turn, round after round, each at least once in a turn.

    Two rounds before those that count trace the functions, and find how often each case is
    done in a turn of about `turn_seconds`.

    Returns:
        For each case the seconds of one time in each round; and for each case what else is
        known of it, see `timed_cases.prepare`.
    """
    times, seconds = [1] * len(cases), [[] for _ in cases]
    with contextlib.ExitStack() as stack:
        timed = _ready(cases, stack)
        for number in tqdm(range(rounds + 2), desc="rounds", disable=None):
            for i, case in enumerate(timed):
                elapsed = case.time(times[i])
                if number == 1:
                    times[i] = max(1, round(turn_seconds / elapsed))
                elif number > 1:
                    seconds[i].append(elapsed / times[i])
        return seconds, [case.facts for case in timed]


class _Timed(NamedTuple):
    """What is known of a case, and what times it, done a number of times."""

    facts: dict[str, Any]
    time: Callable[[int], float]


def _ready(cases: list[Case], stack: contextlib.ExitStack) -> list[_Timed]:
    """Makes cases ready, each in its process.

    TensorFlow's cases share one if they settle the same for a process: whether there are CPU
    kernels, and how TensorFlow uses its threads.
    """
    started: dict[tuple[bool, bool], Callable[..., Any]] = {}
    found = []
    for number, case in enumerate(cases):
        if case.code == "pytorch":
            found.append(_Timed(*stack.enter_context(pytorch_case(case))))
            continue
        kind = (case.code == "tensorflow", bool(case.microbatch))
        if kind not in started:
            environment = {kernels.SWITCH: "0"} if case.code == "tensorflow" else {}
            started[kind] = stack.enter_context(fresh_process(**environment))
            if case.microbatch:
                started[kind](use_one_thread_an_operation)
        facts = started[kind](prepare, number, case)
        found.append(_Timed(facts, functools.partial(started[kind], time_case, number)))
    return found
