"""Kills training runs at any moment, resumes them, and compares them with an unbroken run.

    python -m experiments.robustness.resume --kills=20

Trains a small model with dropout on the paper's Rule 2, some 20 seconds, then
kills (SIGKILL) as many fresh runs of the same configuration: at start-up, at a
random moment, in an evaluation, while a checkpoint is written and while the
final model is saved, in turn. One resumed run in three is killed once more.
Each must end with the weights of the unbroken run, bit for bit, and with its
report except for timings and versions. Prints a line a run, writes
`resume/summary.json`, and fails if any run differs. About 15 minutes on 2 cores;
expected: 20 of 20 equal.
"""

import pathlib
import random
import subprocess
import time
from collections.abc import Callable

from absl import flags

from experiments.common.flags import DATA_DIR, DATASET, EPOCHS, RUNS_DIR
from experiments.common.results import record, write_result
from experiments.common.running import run_program, train_command
from experiments.robustness.killed_runs import at_least, checkpoint_state, is_equal, wait_until
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.training.loop import STEPS_PER_CALL

BATCH_SIZE = 512
MODEL = {"embedding_dim": 8, "num_heads": 2, "attention_size": 8, "order": 2, "dropout": 0.1}
# A checkpoint is written after every call of some steps.
TRAINING = {"batch_size": BATCH_SIZE, "learning_rate": 3e-3, "checkpoint_minutes": 0}
PHASES = ("start-up", "any", "evaluation", "saving", "end")

KILLS = flags.DEFINE_integer("kills", 20, "number of runs to kill", lower_bound=1)
KILL_SEED = flags.DEFINE_integer("kill_seed", 0, "seed of the moments")

Moment = Callable[[], bool]


def main(_):
    runs = pathlib.Path(RUNS_DIR.value)
    runs.mkdir(parents=True)
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
        run.finish()
        equal = is_equal(run.folder, unbroken.folder)
        kills.append({"phase": phases[0], "killed": killed, "equal": equal})
        verdict = "equal" if equal else "NOT EQUAL"
        print(f"{number + 1}: {phases[0]}: {'; '.join(killed)}: {verdict}", flush=True)

    equal = sum(kill["equal"] for kill in kills)
    summary = {
        **record(),
        "unbroken_seconds": round(unbroken.seconds, 1),
        "runs": len(kills),
        "kills": sum(text.startswith("killed") for kill in kills for text in kill["killed"]),
        "equal": equal,
        "each": kills,
    }
    write_result("resume/summary.json", summary)
    print(f"{equal} of {len(kills)} runs are equal to the unbroken one")
    return int(equal < len(kills))


class Run:
    """A run of `experiments.train` in its own process."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        given = {"dataset": DATASET.value, "data_dir": DATA_DIR.value, "output_dir": folder}
        epochs = {"max_epochs": EPOCHS.value, "patience": EPOCHS.value}
        self.command = train_command({**given, **epochs, **MODEL, **TRAINING})

    def finish(self) -> None:
        """Runs to the end and notes how long start-up and all of it took."""
        start = time.monotonic()
        process = self._start()
        wait_until(process, (self.folder / "checkpoint.npz").exists)
        self.startup_seconds = time.monotonic() - start
        _, errors = process.communicate()
        self.seconds = time.monotonic() - start
        if process.returncode:
            raise ValueError(f"{self.folder}: {errors.strip().splitlines()[-1]}")

    def kill(self, is_moment: Moment) -> str:
        """Runs until `is_moment()`, kills the process and says where it stood."""
        start = time.monotonic()
        process = self._start()
        wait_until(process, is_moment)
        process.kill()
        process.communicate()
        seconds = time.monotonic() - start
        if process.returncode == 0:
            return f"had ended after {seconds:.1f} s"
        state = checkpoint_state(self.folder)
        found = f"epoch {state['epoch'] + 1}, step {state['step']}" if state else "no checkpoint"
        found += ", another half written" if unfinished_checkpoints(self.folder) else ""
        return f"killed after {seconds:.1f} s, {found}"

    def _start(self):
        output, errors = subprocess.DEVNULL, subprocess.PIPE
        return subprocess.Popen(self.command, stdout=output, stderr=errors, text=True)


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
    run_program(main, dataset="synthetic_rules/rule_2", runs_dir="runs/resume", epochs=4)
