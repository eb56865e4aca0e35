"""Two worker processes on this machine's loopback against one: losses, a killed worker, speed.

    python -m experiments.robustness.two_workers --dataset=frappe/nfm --raw_dir=FOLDER

Trains InterHAt, `released`, three times with the same batches: by one process
that reads both shards of the data, by two that read one each, and by two of
which one is killed (SIGKILL) in the second epoch, whereupon the other ends, and
both are started again with `--resume`. They compute in float64: in float32 the
order of a sum changes its last digits, and training makes much of that, also in
one process. The losses of the first two must be equal to ten digits, the
weights of the last two bit for bit, or the program fails. Writes
`experiments/results/two_workers/summary.json`. Three minutes on Frappe and 2 cores.
"""

import contextlib
import datetime
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

from absl import flags

from experiments.common.data_flags import DATA_DIR, DATASET, RAW_DIR
from experiments.common.markdown import markdown_table
from experiments.common.results import RESULTS_DIR
from experiments.common.running import run_program
from experiments.robustness.killed_runs import (
    at_least,
    checkpoint_state,
    same_report,
    same_weights,
    wait_until,
)
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.training.loop import versions
from interhat_tf.utils.files import read_json, write_json

WORKERS = 2

WORKER_RUNS = flags.DEFINE_string("worker_runs", "runs/two_workers", "folder of the runs; new")
WORKER_EPOCHS = flags.DEFINE_integer("worker_epochs", 3, "epochs of a run", lower_bound=2)
WORKER_BATCH = flags.DEFINE_integer("worker_batch", 2048, "records of a step, of both workers")


def main(_):
    folder = pathlib.Path(WORKER_RUNS.value)
    folder.mkdir(parents=True)
    data = prepared_dataset(DATASET.value, DATA_DIR.value, RAW_DIR.value)
    runs = {
        "one": Run(folder / "one", 1),
        "two": Run(folder / "two", 2),
        "killed": Run(folder / "killed", 2),
    }
    for name in ("one", "two"):
        runs[name].finish()
    lost = runs["killed"].kill_a_worker()
    runs["killed"].finish()

    reports = {name: read_json(run.folder / "report.json") for name, run in runs.items()}
    losses = {name: [e["loss"] for e in report["history"]] for name, report in reports.items()}
    apart = max(abs(a / b - 1) for a, b in zip(losses["two"], losses["one"], strict=True))
    equal = same_weights(runs["killed"], runs["two"]) and same_report(runs["killed"], runs["two"])
    summary = {
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "data": {
            "set": data.name,
            "rows": data.num_rows("train"),
            "files": len(data.files("train")),
        },
        "batch_size": WORKER_BATCH.value,
        "runs": {
            name: {
                "losses": losses[name],
                "validation": [e["validation_auc"] for e in report["history"]],
                "test": report["test"],
                # Without the first, in which the steps are traced.
                "epoch_seconds": report["training"]["epoch_seconds"][1:],
            }
            for name, report in reports.items()
            if name != "killed"
        },
        "largest_relative_loss_difference": apart,
        "killed": {**lost, "equal": equal},
    }
    write_json(pathlib.Path(RESULTS_DIR.value) / "two_workers/summary.json", summary)
    rows = [
        [epoch + 1, *(f"{losses[name][epoch]:.10f}" for name in runs)]
        for epoch in range(WORKER_EPOCHS.value)
    ]
    print(markdown_table(["epoch", "one worker", "two workers", "killed and resumed"], rows))
    print(f"killed: {lost}; {'the same weights' if equal else 'OTHER WEIGHTS'} as the unbroken run")
    return int(not equal or apart > 1e-10)


class Run:
    """A run of `experiments.train` by one or several processes."""

    def __init__(self, folder, workers):
        self.folder, self.workers = folder, workers
        arguments = {
            "dataset": DATASET.value,
            "data_dir": DATA_DIR.value,
            "output_dir": folder,
            "strategy": "multi_worker" if workers > 1 else "one",
            "input_shards": WORKERS,
            "batch_size": WORKER_BATCH.value,
            "max_epochs": WORKER_EPOCHS.value,
            "patience": WORKER_EPOCHS.value,
            "checkpoint_minutes": 0,
            "dtype": "float64",
        }
        self.command = [sys.executable, "-m", "experiments.train", "--resume"]
        self.command += [f"--{name}={value}" for name, value in arguments.items()]

    def finish(self):
        """Runs to the end.

        Raises:
            ValueError: If a worker fails; the message is its own.
        """
        for index, process in enumerate(self._start()):
            if process.wait():
                raise ValueError(f"{self.folder}: {self._last_words(index)}")

    def kill_a_worker(self):
        """Kills the second worker in the second epoch; says how the first one then ended."""
        chief, other = self._start()
        wait_until(other, lambda: at_least(checkpoint_state(self.folder), 1, 1))
        other.kill()
        killed = time.monotonic()
        chief.wait()
        seconds = time.monotonic() - killed
        other.wait()
        state = checkpoint_state(self.folder)
        return {
            "epoch": state["epoch"] + 1,
            "step": state["step"],
            "seconds_until_the_other_ended": seconds,
            "its_message": self._last_words(0),
        }

    def _start(self):
        addresses = [f"127.0.0.1:{port}" for port in free_ports(self.workers)]
        threads = str(max(1, (os.cpu_count() or 1) // self.workers))
        processes = []
        for index in range(self.workers):
            cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": threads}
            if self.workers > 1:
                environment["TF_CONFIG"] = json.dumps(cluster)
            with open(self._log(index), "w") as log:
                processes.append(
                    subprocess.Popen(self.command, env=environment, stdout=log, stderr=log)
                )
        return processes

    def _log(self, index):
        return self.folder.with_name(f"{self.folder.name}-{index}.log")

    def _last_words(self, index):
        return self._log(index).read_text().strip().splitlines()[-1]


def free_ports(count):
    """Returns ports of this machine that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


if __name__ == "__main__":
    run_program(main, required=["dataset"])
