"""Kills preparations of a log at any moment, and prepares it again.

    python -m experiments.robustness.killed_preparations

A log is prepared as often as it takes to kill (SIGKILL) `--preparation_kills` preparations, each at
a random moment after it has begun to write. Then there must be no set, or the whole one; and the
preparation that follows must end with the files of an unbroken one, byte for byte, and no others.
Prints a line a kill, writes `killed_preparations/summary.json`, and fails if any set differs. A
minute on one core.
"""

import pathlib
import random
import tempfile
import time
from typing import Any

from absl import flags

from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.robustness.commands import SET, Command, files_of, preparing, write_log
from experiments.robustness.killed_runs import wait_until

KILLS = flags.DEFINE_integer("preparation_kills", 20, "preparations to kill", lower_bound=1)
KILL_SEED = flags.DEFINE_integer("preparation_kill_seed", 0, "seed of the moments")


def main(_):
    draw = random.Random(KILL_SEED.value)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        log = write_log(folder / "log.csv")
        unbroken = folder / "unbroken"
        command = Command("prepare", folder / "unbroken.txt", preparing(unbroken, log))
        wait_until(command, unbroken.exists)
        started = time.monotonic()
        command.succeed()
        seconds = time.monotonic() - started
        whole = files_of(unbroken)
        each: list[dict[str, Any]] = []
        while len(each) < KILLS.value:
            found = kill(folder / f"{draw.random()}", log, draw.uniform(0, seconds), whole)
            if found:
                each.append(found)
                print(f"{len(each)}: {found}", flush=True)
    summary = {
        "kills": len(each),
        "half_made": sum(kill["half_made"] for kill in each),
        "with_other_files": sum(kill["left_behind"] > 0 for kill in each),
        "equal": sum(kill["equal"] for kill in each),
    }
    write_result("killed_preparations/summary.json", {**record(), **summary, "each": each})
    print(f"{summary['half_made']} half made, {summary['equal']} of {len(each)} equal afterwards")
    return int(summary["half_made"] > 0 or summary["equal"] < len(each))


def kill(
    folder: pathlib.Path, log: pathlib.Path, seconds: float, whole: dict[str, bytes]
) -> dict[str, Any] | None:
    """Kills a preparation that has begun to write some seconds ago; `None` if it had ended."""
    printed = folder.with_name(f"{folder.name}.txt")
    command = Command("prepare", printed, preparing(folder, log))
    wait_until(command, folder.exists)
    end = time.monotonic() + seconds
    wait_until(command, lambda: time.monotonic() > end)
    command.kill()
    if command.wait() == 0:
        return None
    left = files_of(folder)
    of_set = {name: content for name, content in left.items() if name.startswith(f"{SET}/1.0.0/")}
    Command("prepare", printed, preparing(folder, log)).succeed()
    return {
        "seconds": round(seconds, 2),
        "left_behind": len(left) - len(of_set),  # beside the set, until the next one
        "half_made": bool(of_set) and of_set != whole,
        "equal": files_of(folder) == whole,
    }


if __name__ == "__main__":
    run_program(main)
