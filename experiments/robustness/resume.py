"""Kills training runs at any moment, resumes them, and compares them with an unbroken run.

    python -m experiments.robustness.resume --kills=20 --seed=0

Trains a small model with dropout on the paper's Rule 2, some 20 seconds, then
kills (SIGKILL) as many fresh runs of the same configuration: at start-up, at a
random moment, in an evaluation, while a checkpoint is written and while the
final model is saved, in turn. One resumed run in three is killed once more.
Each must end with the weights of the unbroken run, bit for bit, and with its
report but for timings and versions. Prints a line a run, writes
`experiments/results/resume.json`, and fails if any run differs. About 15
minutes on 2 cores; expected: 20 of 20 equal.
"""

import datetime
import pathlib
import random
import subprocess
import sys
import time

from absl import flags

from experiments.common.running import run_program
from experiments.robustness.killed_runs import (
    at_least,
    checkpoint_state,
    same_report,
    same_weights,
    wait_until,
)
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.training.loop import STEPS_PER_CALL, versions
from interhat_tf.utils.files import write_json

BATCH_SIZE = 512
MODEL = {"embedding_dim": 8, "num_heads": 2, "attention_size": 8, "order": 2, "dropout": 0.1}
# A checkpoint is written behind every call of some steps.
TRAINING = {"batch_size": BATCH_SIZE, "learning_rate": 3e-3, "checkpoint_minutes": 0}
PHASES = ("start-up", "any", "evaluation", "saving", "end")

KILLS = flags.DEFINE_integer("kills", 20, "number of runs to kill", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "seed of the moments")
EPOCHS = flags.DEFINE_integer("max_epochs", 4, "epochs of a run at most", lower_bound=1)
DATASET = flags.DEFINE_string("dataset", "synthetic_rules/rule_2", "data set to train on")
DATA_DIR = flags.DEFINE_string("data_dir", "prepared", "folder of the prepared data sets")
RUNS_DIR = flags.DEFINE_string("runs_dir", "runs/resume", "folder of the runs; must be new")
RESULTS = flags.DEFINE_string("results", "experiments/results/resume.json", "what is written")


def main(_):
    runs = pathlib.Path(RUNS_DIR.value)
    runs.mkdir(parents=True)
    data = prepared_dataset(DATASET.value, DATA_DIR.value)
    steps = -(-data.num_rows("train") // BATCH_SIZE)
    unbroken = Run(runs / "unbroken")
    unbroken.finish()
    seconds = unbroken.seconds
    startup = unbroken.startup_seconds
    print(f"unbroken: {seconds:.1f} s, of which start-up {startup:.1f} s", flush=True)

    draw = random.Random(SEED.value)
    kills = []
    for number in range(KILLS.value):
        phase = PHASES[number % len(PHASES)]
        run = Run(runs / f"kill-{number:02d}")
        killed = [run.kill(moment(phase, draw, run.folder, unbroken, steps))]
        if number % 3 == 2:
            killed.append(run.kill(moment("any", draw, run.folder, unbroken, steps)))
        run.finish()
        equal = same_weights(run, unbroken) and same_report(run, unbroken)
        kills.append({"phase": phase, "killed": killed, "equal": equal})
        verdict = "equal" if equal else "NOT EQUAL"
        print(f"{number + 1}: {phase}: {'; '.join(killed)}: {verdict}", flush=True)

    equal = sum(kill["equal"] for kill in kills)
    result = {
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "unbroken_seconds": round(seconds, 1),
        "runs": len(kills),
        "kills": sum(text.startswith("killed") for kill in kills for text in kill["killed"]),
        "equal": equal,
        "each": kills,
    }
    write_json(RESULTS.value, result)
    print(f"{equal} of {len(kills)} runs are equal to the unbroken one")
    return int(equal < len(kills))


class Run:
    """A run of `experiments.train` in a process of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.command = [sys.executable, "-m", "experiments.train", "--resume"]
        arguments = {"dataset": DATASET.value, "data_dir": DATA_DIR.value, "output_dir": folder}
        arguments |= {"max_epochs": EPOCHS.value, "patience": EPOCHS.value, **MODEL, **TRAINING}
        self.command += [f"--{name}={value}" for name, value in arguments.items()]

    def finish(self):
        """Runs to the end and notes how long start-up and all of it took."""
        start = time.monotonic()
        process = self._start()
        wait_until(process, (self.folder / "checkpoint.npz").exists)
        self.startup_seconds = time.monotonic() - start
        _, errors = process.communicate()
        self.seconds = time.monotonic() - start
        if process.returncode:
            raise ValueError(f"{self.folder}: {errors.strip().splitlines()[-1]}")

    def kill(self, is_moment):
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


def moment(phase, draw, folder, unbroken, steps):
    """Returns a function that tells whether a random moment of a phase has come."""
    if phase in ("start-up", "any"):
        seconds = unbroken.startup_seconds if phase == "start-up" else unbroken.seconds
        end = time.monotonic() + draw.uniform(0, seconds)
        # A run that is faster than the unbroken one must not get away.
        return lambda: time.monotonic() > end or ends(folder)
    if phase == "end":
        return lambda: ends(folder)
    if phase == "evaluation":
        # The checkpoint behind an epoch's last step is followed by the evaluation.
        epoch = draw.randrange(EPOCHS.value)
        return lambda: at_least(checkpoint_state(folder), epoch, steps)
    seen, number = set(), draw.randint(1, EPOCHS.value * steps // STEPS_PER_CALL // 2)

    def is_saving():
        seen.update(unfinished_checkpoints(folder))
        return len(seen) >= number or ends(folder)

    return is_saving


def unfinished_checkpoints(folder):
    """Returns the checkpoints that a run is writing, or was writing when it was killed."""
    return list(folder.glob(".checkpoint.npz.*"))


def ends(folder):
    """Returns whether a run has begun to save its final model."""
    return any(folder.glob("*model.keras"))


if __name__ == "__main__":
    run_program(main)
