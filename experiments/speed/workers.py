r"""What more workers gain, each on a core of its own, and what they send each other.

    unshare --user --map-root-user --net \
        sh -c 'ip link set lo up; python -m experiments.speed.workers'

Prepares a generated Criteo log on one core, by Beam with one worker on one core, and with two and
four on as many, which they share with the program that feeds them. Trains InterHAt, `released`, at
Criteo's sizes with one worker on one core, and with two on two that talk over this machine's
loopback, each with half of a batch, for two sizes of the table; and counts the bytes of the
loopback, which `unshare` makes this program's alone. Where there are fewer cores than workers,
these share them, and the result says so.

Writes `speed/workers.json` among the results. 18 minutes on 2 cores, with nothing else running,
and up to 10 GB of disk.
"""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import resource
import shutil
import time
from collections.abc import Sequence
from typing import Any

from absl import flags

from experiments.common.flags import DATA_DIR
from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.generated_logs.own_log import CATEGORIES, NUMBERS
from experiments.robustness.two_workers import free_ports
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from experiments.speed.processes import ROUNDS, run_alone
from experiments.speed.scoring import write_log
from experiments.speed.timed_cases import OPTIMIZERS, Training
from interhat_tf.input_pipeline.click_log import prepare_click_log
from interhat_tf.models import InterHAt
from interhat_tf.training.distribution import STRATEGIES

BATCH_SIZE = 2048
BEAM_WORKERS = 1, 2, 4
TRAINING_WORKERS = 1, 2
TABLE_OPTIMIZERS = "adam", "lazy_adam"

LOG_ROWS = flags.DEFINE_integer("worker_log_rows", 8_000_000, "rows of the log that is prepared")
FEATURES = flags.DEFINE_multi_integer("worker_features", [605_700, 6_057_000], "rows of the table")
STEPS = flags.DEFINE_integer("worker_steps", 50, "steps of a round")


def main(_):
    folder = pathlib.Path(DATA_DIR.value) / "workers"
    log = write_log(folder, LOG_ROWS.value)
    prepared = [run_alone(prepare, folder, log, workers) for workers in (0, *BEAM_WORKERS)]
    trained = [
        train(workers, features, optimizer)
        for features in FEATURES.value
        for optimizer in TABLE_OPTIMIZERS
        for workers in TRAINING_WORKERS
    ]
    summary = {"batch_size": BATCH_SIZE, "steps": STEPS.value, "rounds": ROUNDS.value}
    write_result(
        "speed/workers.json", record("apache-beam", **summary, prepared=prepared, trained=trained)
    )
    header = ["workers", "cores", "rows_per_second", "rows_per_processor_second"]
    cells = [[f"{row[name]:,.0f}" for name in header] for row in prepared]
    print(markdown_table(header, cells))
    header = ["features", "optimizer", "workers", "cores"]
    cells = [
        [
            *(str(row[name]) for name in header),
            f"{row['rows_per_second']['mean']:,.0f}",
            f"{row['bytes_a_step'] / 1e6:.2f}",
        ]
        for row in trained
    ]
    print(markdown_table([*header, "rows/s", "MB a step"], cells))


def prepare(folder: pathlib.Path, log: pathlib.Path, workers: int) -> dict[str, Any]:
    """Prepares a log in this process, by Beam with some workers or, with none, without Beam."""
    cores = use_cores(range(max(1, workers)))
    sets = folder / f"sets-{workers}"
    shutil.rmtree(sets, ignore_errors=True)
    options = {}
    if workers:
        from apache_beam.options.pipeline_options import PipelineOptions

        how = {"runner": "DirectRunner", "direct_num_workers": workers}
        how["direct_running_mode"] = "multi_processing"
        options["beam_options"] = PipelineOptions([f"--{k}={v}" for k, v in how.items()])
    before, started = processor_seconds(), time.perf_counter()
    fields = {"numerical": NUMBERS, "categorical": CATEGORIES}
    data = prepare_click_log(log, name="workers", data_dir=sets, **fields, **options)
    seconds = time.perf_counter() - started
    spent = processor_seconds() - before
    rows = data.statistics["records"]
    shutil.rmtree(sets)
    return {
        "workers": workers,
        "cores": cores,
        "rows": rows,
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "processor_seconds": spent,
        "rows_per_processor_second": rows / spent,
    }


def train(workers: int, features: int, optimizer: str) -> dict[str, Any]:
    """Trains with a number of workers, a process each, at the same time."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    settings = addresses, features, optimizer, STEPS.value, ROUNDS.value
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(run_alone, train_worker, i, *settings) for i in range(workers)]
        found = [future.result() for future in futures]
    return {
        "features": features,
        "optimizer": optimizer,
        "workers": workers,
        "cores": min(workers, os.cpu_count() or 1, sum(of_one["cores"] for of_one in found)),
        "parameters": found[0]["parameters"],
        "table_parameters": found[0]["table_parameters"],
        "rows_per_second": found[0]["rows_per_second"],
        # The loopback counts what it sends, of all workers.
        "bytes_a_step": found[0]["bytes_a_step"],
    }


def train_worker(
    index: int, addresses: Sequence[str], features: int, optimizer: str, steps: int, rounds: int
) -> dict[str, Any]:
    """Trains in this process as one of the workers; returns rows/s of all, and bytes a step."""
    cores = use_cores([index])
    workers = len(addresses)
    if workers > 1:
        task = {"type": "worker", "index": index}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    strategy = STRATEGIES["multi_worker" if workers > 1 else "one"]()
    schema = schema_of(dataclasses.replace(SIZES["criteo"], features=features))
    penalty = {} if optimizer == "adam" else {"embedding_l2": 0.0}  # it gives every row a gradient
    with strategy.scope():
        model = InterHAt.from_preset("released", schema, dataset="criteo", **penalty)
        batches = batches_of(schema, BATCH_SIZE // workers, seed=index)
        if workers > 1:
            batches = strategy.distribute_datasets_from_function(lambda _, b=batches: b)
        training = Training(model, OPTIMIZERS[optimizer](), batches)
        training.train(steps)  # which traces it, and waits for the others
        rates, before = [], loopback_bytes()
        for _ in range(rounds):
            rates.append(BATCH_SIZE * steps / training.time(steps))
        sent = loopback_bytes() - before
    return {
        "cores": cores,
        "parameters": model.count_params(),
        "table_parameters": model.embedding.table.shape.num_elements(),
        "rows_per_second": mean_and_std(rates),
        "bytes_a_step": sent / (rounds * steps),
    }


def use_cores(numbers: Sequence[int]) -> int:
    """Lets this process and those it starts use these of its cores; returns how many it has."""
    known = sorted(os.sched_getaffinity(0))
    chosen = {known[number % len(known)] for number in numbers}
    os.sched_setaffinity(0, chosen)
    return len(chosen)


def processor_seconds() -> float:
    """Returns what this process and those that it started, and that ended, have computed."""
    kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def loopback_bytes() -> int:
    """Returns the bytes that this machine, or its network name space, has sent to itself."""
    lines = pathlib.Path("/proc/net/dev").read_text().splitlines()
    of_loopback = next(line for line in lines if line.strip().startswith("lo:"))
    return int(of_loopback.partition(":")[2].split()[8])


if __name__ == "__main__":
    run_program(main, rounds=3)
