"""Fills the disk of preparations, trainings and ended trainings, makes room, and lets them go on.

    unshare --user --map-root-user --mount python -m experiments.robustness.full_disks

Each works on a file system in memory (tmpfs), of a random size at which it cannot end; of every
third, the room is taken when the training has ended and its model is to be written. It must
end with the status of a full disk and a line that names a file, and leave no file that is half
made. Then the file system grows, and the same command must end with the set of an undisturbed
preparation, byte for byte, or with its run: the weights bit for bit, and the report but for
timings. `unshare`, of util-linux, lets a user mount such a file system, where the machine allows
it. Writes `full_disks/summary.json`, and fails if anything differs. Some minutes on one core.
"""

import pathlib
import random
import shutil
import subprocess
import tempfile
from typing import Any

from absl import flags

from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.robustness.commands import (
    SET,
    TRAINING,
    Command,
    files_of,
    preparing,
    training,
    write_log,
)
from experiments.robustness.killed_runs import (
    at_least,
    checkpoint_state,
    damaged_files,
    is_equal,
    wait_until,
)
from interhat_tf.errors import FullDiskError

PAGE = 4096
MOST = 1.8
"""The largest disk, as a share of what there is at the end: files that are replaced need more."""
ROOM = 256 << 20
FILLER = "others"
"""A file of others, which takes the room."""

DISKS = flags.DEFINE_integer("disks", 21, "disks to fill", lower_bound=1)
DISK_SEED = flags.DEFINE_integer("disk_seed", 0, "seed of their sizes")


def main(_):
    draw = random.Random(DISK_SEED.value)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        works = (Preparation(folder), Training(folder), Saving(folder))
        each: list[dict[str, Any]] = []
        while len(each) < DISKS.value:
            found = fill(works[len(each) % len(works)], draw.uniform(0.02, MOST))
            if found:
                each.append(found)
                print(f"{len(each)}: {found}", flush=True)
    summary = {
        "disks": len(each),
        "said": sum(one["said"] for one in each),
        "half_made": sum(one["half_made"] for one in each),
        "equal": sum(one["equal"] for one in each),
    }
    write_result("full_disks/summary.json", {**record(), **summary, "each": each})
    print(
        f"{summary['said']} of {len(each)} said so, {summary['half_made']} left something half "
        f"made, {summary['equal']} equal afterwards"
    )
    return int(summary["half_made"] > 0 or not summary["said"] == summary["equal"] == len(each))


def fill(work: "Preparation | Training", share: float) -> dict[str, Any] | None:
    """Runs a command on a disk of some size, and again on a larger one; `None` if it had room."""
    disk = pathlib.Path(tempfile.mkdtemp(dir=work.folder))
    mount(disk, work.room(share))
    try:
        command = Command(work.command, work.folder / "printed.txt", work.flags(disk / "to"))
        work.crowd(command, disk, share)
        status, line = command.wait(), command.last_line()
        if status == 0:
            return None
        half_made = work.half_made(disk / "to")
        (disk / FILLER).unlink(missing_ok=True)
        mount(disk, ROOM, "remount,")
        Command(work.command, work.folder / "printed.txt", work.flags(disk / "to")).succeed()
        equal = work.is_equal(disk / "to")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    named = status == FullDiskError.exit_status and str(disk) in line
    line = line.replace(str(disk), "DISK")
    return {
        **{"command": work.name, "share": round(share, 3), "status": status, "line": line},
        **{"said": named, "half_made": half_made, "equal": equal},
    }


def mount(disk: pathlib.Path, size: int, more: str = "") -> None:
    """Mounts a file system of some bytes, or gives it another size."""
    options = ["-t", "tmpfs", "-o", f"{more}size={max(size, PAGE)}"]
    found = subprocess.run(
        ["mount", *options, "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise ValueError(
            f"no file system can be mounted here ({found.stderr.strip()}): start this as "
            f"`unshare --user --map-root-user --mount python -m {__spec__.name}`"
        )


def size_of(folder: pathlib.Path) -> int:
    """Returns the bytes of a folder's files, in whole pages."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(-(-size // PAGE) * PAGE for size in sizes)


class Work:
    """A command whose disk is filled.

    Attributes:
        name: What it is called in the summary.
        command: The command.
        bytes: What it needs at its end.
    """

    name: str
    command: str
    bytes: int

    def room(self, share: float) -> int:
        """Returns the size of a disk that has a share of what is needed."""
        return int(self.bytes * share) // PAGE * PAGE

    def crowd(self, command: Command, disk: pathlib.Path, share: float) -> None:
        """Takes room from a command that is at work; none of this one, whose disk is small."""


class Preparation(Work):
    """The preparation of a log.

    Args:
        folder: Where the log lies, and the set that is undisturbed.
    """

    name = command = "prepare"

    def __init__(self, folder: pathlib.Path):
        self.folder, self._log = folder, write_log(folder / "log.csv")
        data = folder / "data"
        Command(self.command, folder / "printed.txt", self.flags(data)).succeed()
        self._whole, self.bytes = files_of(data), size_of(data)

    def flags(self, to: pathlib.Path) -> dict[str, Any]:
        """Returns the command's flags."""
        return preparing(to, self._log)

    def half_made(self, to: pathlib.Path) -> bool:
        """Returns whether there is a set that is not whole."""
        return (to / SET / "1.0.0").exists() and not self.is_equal(to)

    def is_equal(self, to: pathlib.Path) -> bool:
        """Returns whether a set is the undisturbed one."""
        return files_of(to) == self._whole


class Training(Work):
    """A training on the set that `Preparation` has made; see there."""

    name = command = "train"

    def __init__(self, folder: pathlib.Path):
        self.folder, self._run = folder, folder / "run"
        Command(self.command, folder / "printed.txt", self.flags(self._run)).succeed()
        self.bytes = size_of(self._run)

    def flags(self, to: pathlib.Path) -> dict[str, Any]:
        """Returns the command's flags."""
        return training(to, self.folder / "data", resume=True)

    def half_made(self, to: pathlib.Path) -> bool:
        """Returns whether there is a file that cannot be read, or a report without its model."""
        without = (to / "report.json").exists() and not (to / "model.keras").exists()
        return without or bool(damaged_files(to))

    def is_equal(self, to: pathlib.Path) -> bool:
        """Returns whether a run is the undisturbed one."""
        return is_equal(to, self._run)


class Saving(Training):
    """The end of a training: the disk is filled before the model is written; see `Preparation`."""

    name = "save"

    def room(self, share: float) -> int:
        """Returns the size of a disk on which the training itself ends."""
        return int(2 * MOST * self.bytes) // PAGE * PAGE

    def crowd(self, command: Command, disk: pathlib.Path, share: float) -> None:
        """Leaves a share of what the model needs once the last epoch's weights are kept."""
        checkpoint, best = disk / "to/checkpoint.npz", disk / "to/best_state.npz"

        def has_ended() -> bool:
            state = checkpoint_state(checkpoint.parent)
            last = at_least(state, TRAINING["max_epochs"] - 1, 0)
            return last and best.stat().st_mtime_ns > checkpoint.stat().st_mtime_ns

        wait_until(command, has_ended)
        left = int((self._run / "model.keras").stat().st_size * share / MOST)
        with open(disk / FILLER, "wb") as file:
            file.write(bytes(max(shutil.disk_usage(disk).free - left, 0)))


if __name__ == "__main__":
    run_program(main)
