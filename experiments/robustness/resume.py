"""Kills training runs at any moment, resumes them, and compares them with an unbroken run.

    python -m experiments.robustness.resume --kills=20

Trains a small model with dropout and averaged weights on a set, by default of a small generated
log, then kills (SIGKILL) as many fresh runs of the same configuration: at start-up, at a random
moment, in an evaluation, while a checkpoint is written and while the final model is saved, in turn.
One resumed run in three is killed once more. No file of a killed run may be half written, and each
must end with the weights of the unbroken run, bit for bit, and with its report except for timings
and versions. Prints a line a run, writes `resume/summary.json`, and fails if any run differs. Some
minutes on one core; expected: 20 of 20 equal.
"""

import pathlib
import random
import time
from collections.abc import Callable

from absl import flags

from experiments.common.flags import DATA_DIR, DATASET, EPOCHS, RUNS_DIR
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.robustness.commands import SET, Command, preparing, write_log
from experiments.robustness.killed_runs import (
    at_least,
    checkpoint_state,
    damaged_files,
    is_equal,
    wait_until,
)
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.training.loop import STEPS_PER_CALL

BATCH_SIZE = 512
MODEL = {"embedding_dim": 8, "num_heads": 2, "attention_size": 8, "order": 2, "dropout": 0.1}
# A checkpoint is written after every call of some steps; it has averaged weights, as `tuned` does.
TRAINING = {
    "batch_size": BATCH_SIZE,
    "learning_rate": 3e-3,
    "ema_momentum": 0.99,
    "checkpoint_minutes": 0,
}
PHASES = ("start-up", "any", "evaluation", "saving", "end")

KILLS = flags.DEFINE_integer("kills", 20, "number of runs to kill", lower_bound=1)
KILL_SEED = flags.DEFINE_integer("kill_seed", 0, "seed of the moments")

Moment = Callable[[], bool]


def main(_):
    runs = pathlib.Path(RUNS_DIR.value)
    runs.mkdir(parents=True)
    if DATASET.value == SET:
        flag_values = preparing(DATA_DIR.value, write_log(runs / "log.csv"))
        Command("prepare", runs / "prepare.txt", flag_values).succeed()
    data = prepared_dataset(DATASET.value, DATA_DIR.value)
    steps = -(-data.num_rows("train") // BATCH_SIZE)
    unbroken = Run(runs / "unbroken")
    unbroken.finish()
    print(
        f"unbroken: {unbroken.seconds:.1f} s, of which start-up {unbroken.startup_seconds:.1f} s",
        flush=True,
    )
    draw = random.Random(KILL_SEED.value)
    kills = []
    for number in range(KILLS.value):
        phases = [PHASES[number % len(PHASES)], *(["any"] if number % 3 == 2 else [])]
        run = Run(runs / f"kill-{number:02d}")
        killed = [run.kill(moment(phase, draw, run.folder, unbroken, steps)) for phase in phases]
        half_made = damaged_files(run.folder)
        run.finish()
        equal = is_equal(run.folder, unbroken.folder)
        found = {"phase": phases[0], "killed": killed, "half_made": half_made, "equal": equal}
        kills.append(found)
        verdict = "equal" if equal else "NOT EQUAL"
        print(f"{number + 1}: {phases[0]}: {'; '.join(killed)}: {verdict}", flush=True)

    equal = sum(kill["equal"] for kill in kills)
    half_made = sum(bool(kill["half_made"]) for kill in kills)
    summary = {
        **record(),
        "unbroken_seconds": round(unbroken.seconds, 1),
        "runs": len(kills),
        "kills": sum(text.startswith("killed") for kill in kills for text in kill["killed"]),
        "half_made": half_made,
        "equal": equal,
        "each": kills,
    }
    write_result("resume/summary.json", summary)
    print(
        f"{equal} of {len(kills)} runs are equal to the unbroken one, {half_made} left half files"
    )
    return int(equal < len(kills) or half_made > 0)


class Run:
    """A run of `interhat train` in its own process."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        given = {"dataset": DATASET.value, "data_dir": DATA_DIR.value, "output_dir": folder}
        epochs = {"max_epochs": EPOCHS.value, "patience": EPOCHS.value}
        self.flags = {**given, **epochs, **MODEL, **TRAINING, "resume": True}

    def finish(self) -> None:
        """Runs to the end and notes how long start-up and all of it took."""
        start = time.monotonic()
        command = self._start()
        wait_until(command, (self.folder / "checkpoint.npz").exists)
        self.startup_seconds = time.monotonic() - start
        command.succeed()
        self.seconds = time.monotonic() - start

    def kill(self, is_moment: Moment) -> str:
        """Runs until `is_moment()`, kills the process and says where it stood."""
        start = time.monotonic()
        command = self._start()
        wait_until(command, is_moment)
        command.kill()
        seconds = time.monotonic() - start
        if command.wait() == 0:
            return f"had ended after {seconds:.1f} s"
        state = checkpoint_state(self.folder)
        found = f"epoch {state['epoch'] + 1}, step {state['step']}" if state else "no checkpoint"
        found += ", another half written" if unfinished_checkpoints(self.folder) else ""
        return f"killed after {seconds:.1f} s, {found}"

    def _start(self) -> Command:
        return Command("train", self.folder.with_suffix(".txt"), self.flags)


def moment(
    phase: str, draw: random.Random, folder: pathlib.Path, unbroken: Run, steps: int
) -> Moment:
    """Returns a function that tells whether a random moment of a phase has come."""
    if phase in ("start-up", "any"):
        seconds = unbroken.startup_seconds if phase == "start-up" else unbroken.seconds
        end = time.monotonic() + draw.uniform(0, seconds)
        # A run that is faster than the unbroken one must not get away.
        return lambda: time.monotonic() > end or ends(folder)
    if phase == "end":
        return lambda: ends(folder)
    if phase == "evaluation":
        # The checkpoint after an epoch's last step is followed by the evaluation.
        epoch = draw.randrange(EPOCHS.value)
        return lambda: at_least(checkpoint_state(folder), epoch, steps)
    seen, number = set(), draw.randint(1, EPOCHS.value * steps // STEPS_PER_CALL // 2)

    def is_saving():
        seen.update(unfinished_checkpoints(folder))
        return len(seen) >= number or ends(folder)

    return is_saving


def unfinished_checkpoints(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the checkpoints that a run is writing, or was writing when it was killed."""
    return list(folder.glob(".checkpoint.npz.*"))


def ends(folder: pathlib.Path) -> bool:
    """Returns whether a run has begun to save its final model."""
    return any(folder.glob("*model.keras"))


if __name__ == "__main__":
    run_program(main, dataset=SET, runs_dir="runs/resume", data_dir="runs/resume/data", epochs=2)
