"""Two worker processes on this machine's loopback against one: losses, a killed worker, speed.

    python -m experiments.robustness.two_workers --dataset=frappe/nfm --raw_dir=FOLDER

Trains InterHAt, `released`, three times with the same batches: by one process
that reads both shards of the data, by two that read one each, and by two of
which one is killed (SIGKILL) in the second epoch, whereupon the other ends, and
both are started again with `--resume`. They compute in float64: in float32 the
order of a sum changes its last digits, and training amplifies that, also in one
process. The losses of the first two must be equal to ten digits, the weights of
the last two bit for bit, or the program fails. Writes
`two_workers/summary.json`. Three minutes on Frappe and 2 cores.
"""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time
from typing import Any

from absl import flags

from experiments.common.flags import DATA_DIR, DATASET, EPOCHS, RAW_DIR, RUNS_DIR
from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program, train_command
from experiments.robustness.killed_runs import at_least, checkpoint_state, is_equal, wait_until
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.utils.files import read_json
from interhat_tf.utils.threads import available_cores

SHARDS = 2

WORKER_BATCH = flags.DEFINE_integer("worker_batch", 2048, "records of a step, of both workers")


def main(_):
    if EPOCHS.value < 2:
        raise ValueError("--epochs must be 2 or more: a worker is killed in the second one")
    folder = pathlib.Path(RUNS_DIR.value)
    folder.mkdir(parents=True)
    data = prepared_dataset(DATASET.value, DATA_DIR.value, RAW_DIR.value)
    processes = {"one": 1, "two": 2, "killed": 2}
    runs = {name: Run(folder / name, workers) for name, workers in processes.items()}
    for name in ("one", "two"):
        runs[name].finish()
    lost = runs["killed"].kill_a_worker()
    runs["killed"].finish()

    reports = {name: read_json(run.folder / "report.json") for name, run in runs.items()}
    losses = {name: [e["loss"] for e in report["history"]] for name, report in reports.items()}
    apart = max(abs(a / b - 1) for a, b in zip(losses["two"], losses["one"], strict=True))
    equal = is_equal(runs["killed"].folder, runs["two"].folder)
    sizes = {"rows": data.num_rows("train"), "files": len(data.files("train"))}
    summary = {
        **record(),
        "data": {"set": data.name, **sizes},
        "batch_size": WORKER_BATCH.value,
        "runs": {name: describe(reports[name]) for name in ("one", "two")},
        "largest_relative_loss_difference": apart,
        "killed": {**lost, "equal": equal},
    }
    write_result("two_workers/summary.json", summary)
    of_epochs = enumerate(zip(*losses.values(), strict=True), 1)
    rows = [[epoch, *(f"{loss:.10f}" for loss in found)] for epoch, found in of_epochs]
    print(markdown_table(["epoch", "one worker", "two workers", "killed and resumed"], rows))
    print(f"killed: {lost}; {'equal' if equal else 'NOT EQUAL'} to the unbroken run")
    return int(not equal or apart > 1e-10)


def describe(report: dict[str, Any]) -> dict[str, Any]:
    """Returns what is kept of a run."""
    return {
        "losses": [epoch["loss"] for epoch in report["history"]],
        "validation": [epoch["validation_auc"] for epoch in report["history"]],
        "test": report["test"],
        # Without the first, in which the steps are traced.
        "epoch_seconds": report["training"]["epoch_seconds"][1:],
    }


class Run:
    """A run of `experiments.train` by a number of processes, its workers."""

    def __init__(self, folder: pathlib.Path, workers: int):
        self.folder, self.workers = folder, workers
        given = {"dataset": DATASET.value, "data_dir": DATA_DIR.value, "output_dir": folder}
        epochs = {"max_epochs": EPOCHS.value, "patience": EPOCHS.value, "checkpoint_minutes": 0}
        batches = {"input_shards": SHARDS, "batch_size": WORKER_BATCH.value, "dtype": "float64"}
        strategy = {"strategy": "multi_worker" if workers > 1 else "one"}
        self.command = train_command({**given, **epochs, **batches, **strategy})

    def finish(self) -> None:
        """Runs to the end.

        Raises:
            ValueError: If a worker fails; the message is its own.
        """
        for index, process in enumerate(self._start()):
            if process.wait():
                raise ValueError(f"{self.folder}: {self._last_words(index)}")

    def kill_a_worker(self) -> dict[str, Any]:
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
        threads = str(max(1, available_cores() // self.workers))
        environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": threads}
        processes = []
        for index in range(self.workers):
            cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            given = {"TF_CONFIG": json.dumps(cluster)} if self.workers > 1 else {}
            with open(self._log(index), "w") as log:
                process = subprocess.Popen(
                    self.command, env={**environment, **given}, stdout=log, stderr=log
                )
            processes.append(process)
        return processes

    def _log(self, index):
        return self.folder.with_name(f"{self.folder.name}-{index}.log")

    def _last_words(self, index):
        return self._log(index).read_text().strip().splitlines()[-1]


def free_ports(count: int) -> list[int]:
    """Returns ports of this machine that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


if __name__ == "__main__":
    run_program(main, required=["dataset"], runs_dir="runs/two_workers", epochs=3)
