"""Starts two preparations, or two trainings, into one folder, one a moment after the other.

    python -m experiments.robustness.pairs

In turn they are alike, trainings with `--resume` then, or of another log or seed. One of two that
differ must be refused, with a line that says so; of two that are alike, one may be. The folder
must hold what one alone would have written: the files of a set byte for byte, the weights of a
run bit for bit, and its report but for timings. Writes `pairs/summary.json`, and fails if
anything differs. Some minutes on one core.
"""

import pathlib
import random
import tempfile
import time
from typing import Any

from absl import flags

from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.robustness.commands import Command, files_of, preparing, training, write_log
from experiments.robustness.killed_runs import damaged_files, is_equal, wait_until

PAIRS = flags.DEFINE_integer("pairs", 20, "pairs to start", lower_bound=1)
PAIR_SEED = flags.DEFINE_integer("pair_seed", 0, "seed of the moments")
KINDS = ("alike", "another")


def main(_):
    draw = random.Random(PAIR_SEED.value)
    with tempfile.TemporaryDirectory() as temporary:
        works = (Preparations(pathlib.Path(temporary)), Trainings(pathlib.Path(temporary)))
        each = []
        for number in range(PAIRS.value):
            work, kind = works[number % 2], KINDS[number // 2 % 2]
            found = start_two(work, kind, draw.uniform(0, work.seconds), number)
            each.append(found)
            print(f"{number + 1}: {found}", flush=True)
    wrong = [one for one in each if not (one["equal"] and one["refused"] in one["expected"])]
    summary = {
        "pairs": len(each),
        "refused": sum(one["refused"] for one in each),
        "equal": sum(one["equal"] for one in each),
        "wrong": len(wrong),
    }
    write_result("pairs/summary.json", {**record(), **summary, "each": each})
    print(f"{summary['refused']} refused, {summary['equal']} of {len(each)} equal to one alone")
    return int(bool(wrong))


def start_two(
    work: "Preparations | Trainings", kind: str, seconds: float, number: int
) -> dict[str, Any]:
    """Starts two commands some seconds apart and tells what became of the folder."""
    to = work.folder / f"{work.name}-{number}"
    others = (0, 1 if kind == "another" else 0)
    printed = [work.folder / f"{work.name}-{number}-{i}.txt" for i in range(2)]
    first = Command(work.name, printed[0], work.flags(to, others[0], kind))
    end = time.monotonic() + seconds
    wait_until(first, lambda: time.monotonic() > end)
    second = Command(work.name, printed[1], work.flags(to, others[1], kind))
    statuses = [first.wait(), second.wait()]
    lines = [one.last_line() for one in (first, second) if one.wait()]
    winner = others[statuses.index(0)] if 0 in statuses else None
    return {
        **{"command": work.name, "kind": kind, "seconds": round(seconds, 2), "statuses": statuses},
        **{"refused": len(lines), "expected": [1] if kind == "another" else [0, 1]},
        "lines": [line.replace(str(work.folder), "FOLDER") for line in lines],
        "equal": winner is not None and work.is_equal(to, winner),
    }


class Preparations:
    """Preparations of two logs.

    Args:
        folder: Where the logs lie, and the set of each alone.

    Attributes:
        name: The command.
        seconds: How long one takes.
    """

    name = "prepare"

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self._logs = [write_log(folder / f"log-{seed}.csv", seed) for seed in (1, 2)]
        self.seconds, self._alone = 0.0, []
        for number in range(2):  # the first waits for the server of processes
            started, to = time.monotonic(), folder / f"data-{number}"
            Command(self.name, folder / "alone.txt", self.flags(to, number, "")).succeed()
            self.seconds = time.monotonic() - started
            self._alone.append(files_of(to))

    def flags(self, to: pathlib.Path, number: int, kind: str) -> dict[str, Any]:
        """Returns the flags of the first or the second command."""
        return preparing(to, self._logs[number])

    def is_equal(self, to: pathlib.Path, number: int) -> bool:
        """Returns whether a folder has what one of the two writes alone."""
        return files_of(to) == self._alone[number]


class Trainings:
    """Trainings with two seeds on the first set; see `Preparations`."""

    name = "train"

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        for number in range(2):
            started, to = time.monotonic(), folder / f"alone-{number}"
            Command(self.name, folder / "alone.txt", self.flags(to, number, "")).succeed()
            self.seconds = time.monotonic() - started

    def flags(self, to: pathlib.Path, number: int, kind: str) -> dict[str, Any]:
        """Returns the flags of the first or the second command."""
        resume = {"resume": True} if kind == "alike" else {}
        return training(to, self.folder / "data-0", seed=number, **resume)

    def is_equal(self, to: pathlib.Path, number: int) -> bool:
        """Returns whether a folder has what one of the two writes alone."""
        return not damaged_files(to) and is_equal(to, self.folder / f"alone-{number}")


if __name__ == "__main__":
    run_program(main)
