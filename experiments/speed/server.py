"""How long the example server takes to answer, and whether it survives what is no request.

    python -m experiments.speed.server

Generates a Criteo log, prepares it, exports a `tuned` InterHAt of new weights, on which no time
depends, and starts `examples/server`. Asks for 1 and for 100 records, one call after the other
over one connection, then sends `--wrong_calls` wrong requests, and asks for the same again, which
has to give the same answers. Writes p50 and p99, and how often each status came, to
`speed/server.json` among the results. About two minutes on 2 cores, with nothing else running.
"""

import collections
import contextlib
import http.client
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from absl import flags
from tqdm.auto import tqdm

from experiments.common.flags import DATA_DIR
from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.generated_logs.own_log import CATEGORIES, NUMBERS, prepare_own
from experiments.speed.scoring import make_model, write_log
from interhat_tf.serving import export_onnx

CALLS = {1: 1000, 100: 300}
"""Calls of each number of records."""
SERVER = pathlib.Path(__file__).parents[2] / "examples/server/server.py"

SERVED_ROWS = flags.DEFINE_integer("served_rows", 200_000, "rows of the log that is prepared")
WRONG_CALLS = flags.DEFINE_integer("wrong_calls", 1000, "wrong requests")

Record = dict[str, Any]


def main(_):
    folder = pathlib.Path(DATA_DIR.value) / "server"
    log = write_log(folder, SERVED_ROWS.value)
    data = prepare_own(log, "scored", folder)
    file = folder / "model.onnx"
    file.unlink(missing_ok=True)
    export_onnx(make_model(data, "tuned"), file, data)
    records = read_records(log, max(CALLS))
    with running(file) as connection:
        rows = [{"records": n, **latency(connection, records[:n], CALLS[n])} for n in CALLS]
        before = ask(connection, body_of(records))
        statuses = collections.Counter(
            ask(connection, wrong)[0] for wrong in wrong_bodies(records, WRONG_CALLS.value)
        )
        if ask(connection, body_of(records)) != before:
            raise ValueError("after wrong requests the server gives other answers")
    cells = [[str(r["records"]), *(f"{r[p] * 1e3:.2f}" for p in ("p50", "p99"))] for r in rows]
    print(markdown_table(["records", "p50, ms", "p99, ms"], cells))
    print(f"{WRONG_CALLS.value:,} wrong requests: {dict(statuses)}")
    refused = {str(status): calls for status, calls in sorted(statuses.items())}
    calls = {str(n): calls for n, calls in CALLS.items()}
    write_result(
        "speed/server.json",
        record("fastapi", "uvicorn", "onnxruntime", calls=calls, rows=rows, refused=refused),
    )


def read_records(log: pathlib.Path, rows: int) -> list[Record]:
    """Returns the first records of a log as a request has them; a missing value is `None`."""
    texts = dict.fromkeys(CATEGORIES, str)
    table = pd.read_csv(log, sep="\t", nrows=rows, dtype=texts)[[*NUMBERS, *CATEGORIES]]
    return json.loads(table.to_json(orient="records"))


@contextlib.contextmanager
def running(file: pathlib.Path) -> Iterator[http.client.HTTPConnection]:
    """Starts the server of a model; yields a connection to it.

    Raises:
        ValueError: If it has ended before the block has.
    """
    command = [sys.executable, SERVER, f"--model={file}", "--port=0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        address = server.stdout.readline().rpartition("//")[2].strip()
        yield http.client.HTTPConnection(address, timeout=60)
        if server.poll() is not None:
            raise ValueError(f"the server has ended, with status {server.returncode}")
    finally:
        server.terminate()
        server.wait()


def ask(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, bytes]:
    """Returns the status and the body of an answer."""
    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def body_of(records: Any) -> bytes:
    """Returns a request."""
    return json.dumps({"records": records}).encode()


def latency(
    connection: http.client.HTTPConnection, records: list[Record], calls: int
) -> dict[str, float]:
    """Returns p50 and p99 of the seconds until the answer to the same records is there.

    Raises:
        ValueError: If an answer is none.
    """
    body, seconds = body_of(records), []
    for _ in tqdm(range(calls + 1), desc=f"{len(records):,} records", disable=None):
        start = time.perf_counter()
        status, _ = ask(connection, body)
        seconds.append(time.perf_counter() - start)
        if status != 200:
            raise ValueError(f"the server answers with status {status}")
    p50, p99 = np.quantile(seconds[1:], [0.5, 0.99]).tolist()  # the first call warms up
    return {"p50": p50, "p99": p99}


def wrong_bodies(records: list[Record], number: int) -> Iterator[bytes]:
    """Yields requests that are none, each wrong in another way than the one before."""
    number_column, text_column = NUMBERS[0], CATEGORIES[0]
    few = [
        b"{",
        b"[" * 5_000,
        b"\xff\xfe",
        body_of([]),
        body_of("all"),
        body_of([{**records[0], "colour": 1}]),
        body_of([{**records[0], number_column: "much"}]),
        body_of([{**records[0], number_column: float("nan")}]),
        body_of([{**records[0], text_column: ["a", "list"]}]),
        body_of([records[0], {}]),
        body_of([records[0]] * 2_000),
    ]
    for i in range(number):
        yield few[i % len(few)]


if __name__ == "__main__":
    run_program(main)
