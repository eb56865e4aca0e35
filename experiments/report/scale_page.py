"""The site's page on a log of a terabyte, `docs/scale.md`: its figures follow from results.

    python -m experiments.report.scale_page

Reads the published results, or those under `--results_dir`, and computes from what was measured
on a small machine what the Criteo 1 TB log would take. `make tables` runs it.
"""

import math
import pathlib
import re
from typing import Any

from absl import flags

from experiments.common.markdown import spread
from experiments.common.results import PUBLISHED, read_result
from experiments.common.running import run_program
from experiments.report.blocks import Table, markdown
from experiments.report.cells import Summary, table, written
from experiments.report.grid_cells import is_averaged, measured, rate, rows_of
from experiments.report.templates import fill
from experiments.speed.paper_sizes import SIZES
from interhat_tf.models.presets import DATASETS

LOG_ROWS = 4_373_472_329
TABLE_ROWS = 204_184_588
BEAM_CORES = (16, 64, 256)
WORKERS = 4
BATCH = 2048
REQUESTS = 100_000
BUSY = 0.6
GIGABITS = 10
WORKERS_COMMAND = (
    "unshare --user --map-root-user --net "
    "sh -c 'ip link set lo up; python -m experiments.speed.workers'"
)

SCALE_PAGE = flags.DEFINE_string("scale_page", "docs/scale.md", "the page")
PRICE = flags.DEFINE_float("core_hour_price", 0.05, "US dollars of a core for an hour")


def main(_):
    pathlib.Path(SCALE_PAGE.value).write_text(page())
    print(f"wrote {SCALE_PAGE.value}")


def page() -> str:
    """Returns the page, as Markdown."""
    workers = read_result("speed/workers.json")
    mapped = read_result("speed/mapped_table.json")
    blocks = fill(
        "scale.md",
        log_rows=LOG_ROWS,
        table_rows=TABLE_ROWS,
        price=PRICE.value,
        workers=WORKERS,
        batch=BATCH,
        fields=_fields(),
        requests=REQUESTS,
        busy=BUSY,
        workers_command=WORKERS_COMMAND,
        preparation=_of(preparation, read_result("speed/preparation.json"), workers),
        beam=_of(beam, workers),
        communication=communication(read_result("speed/figure_2.json")),
        trained=_of(trained, workers),
        steps=_of(steps, read_result("speed/table_size.json")),
        mapped={**mapped, "summary": mapped} if mapped else None,
        serving=serving(read_result("speed/latency.json"), read_result("speed/server.json")),
    )
    return markdown(blocks)


def _of(part, summary, *others):
    return {"summary": summary, **part(summary, *others)} if summary else None


def _fields():
    return SIZES["criteo"].categories + SIZES["criteo"].numbers


def preparation(summary: Summary, workers: Summary | None) -> dict[str, Any]:
    """Returns what preparing the log takes, by the rate of the largest log that was measured.

    That is without Beam, which several machines need. Beam takes as many times as long on a
    core as `workers` say.
    """
    cores = cores_of(summary)
    rows = [row for row in summary["prepared"] if row["config"] == "all_fields"]
    small, large = (pick(rows, key=lambda row: row["rows"]) for pick in (min, max))
    rate = large["rows_per_second"] / cores
    core_hours = LOG_ROWS / rate / 3600
    lines = [{"cores": 1, "by": "no", "core_hours": core_hours}]
    if workers:
        slower = beam_is_slower(workers)
        lines += [{"cores": n, "by": "yes", "core_hours": core_hours * slower} for n in BEAM_CORES]
    columns = {
        "cores": "{cores}",
        "Beam": "{by}",
        "hours": lambda line: f"{line['core_hours'] / line['cores']:,.2f}",
        "core-hours": "{core_hours:,.1f}",
        "US dollars": lambda line: f"{line['core_hours'] * PRICE.value:,.2f}",
    }
    return {
        "rate": rate,
        "cores": cores,
        "rows": large["rows"],
        "features": large["distinct_features"],
        "faster": small["rows_per_second"] / large["rows_per_second"],
        "log_terabytes": large["log_gigabytes"] / large["rows"] * LOG_ROWS / 1e3,
        "set_terabytes": large["prepared_gigabytes"] / large["rows"] * LOG_ROWS / 1e3,
        "hours": table(columns, lines),
    }


def cores_of(summary: Summary) -> int:
    """Returns the cores of the machine that a summary was measured on."""
    found = re.match(r"(\d+) cores?", summary["versions"]["machine"])
    assert found, summary["versions"]["machine"]
    return int(found[1])


def beam(summary: Summary) -> dict[str, Any]:
    """Returns what Beam's workers prepare, beside one core without Beam."""
    one = prepared_by(summary, 1)
    columns = {
        "Beam's workers": lambda row: str(row["workers"] or "without Beam"),
        "cores": "{cores}",
        "rows/s": "{rows_per_second:,.0f}",
        "times one worker's": lambda row: f"{row['rows_per_second'] / one['rows_per_second']:.2f}",
        "rows per processor second": "{rows_per_processor_second:,.0f}",
    }
    return {
        "slower": beam_is_slower(summary),
        "rows": one["rows"],
        "rates": table(columns, summary["prepared"]),
    }


def beam_is_slower(summary: Summary) -> float:
    """Returns how many times as long Beam's one worker takes as one core without Beam."""
    alone, one = (prepared_by(summary, workers)["rows_per_second"] for workers in (0, 1))
    return alone / one


def prepared_by(summary: Summary, workers: int) -> Summary:
    """Returns what so many of Beam's workers prepared; 0 are one core without Beam."""
    return next(row for row in summary["prepared"] if row["workers"] == workers)


def trained(summary: Summary) -> dict[str, Table]:
    """Returns what several workers train, and send each other."""
    alone = {
        (row["features"], row["optimizer"]): row["rows_per_second"]["mean"]
        for row in summary["trained"]
        if row["workers"] == 1
    }

    def times(row):
        rate = row["rows_per_second"]["mean"]
        return f"{rate / alone[row['features'], row['optimizer']]:.2f}"

    columns = {
        "rows of the table": "{features:,}",
        "optimizer": "`{optimizer}`",
        "workers": "{workers}",
        "cores": "{cores}",
        "rows/s": lambda row: spread(row["rows_per_second"], 0),
        "times one worker's": times,
        "MB sent a step, all workers": lambda row: f"{row['bytes_a_step'] / 1e6:.2f}",
    }
    return {"rates": table(columns, summary["trained"])}


def communication(figure_2: Summary | None) -> Table:
    """Returns what each worker gets from the others at a step, by the size of the table.

    The other workers' rows, of vectors and ids; and twice the dense weights, which a ring adds up.
    """
    dim, share = DATASETS["criteo"].sizes["embedding_dim"], (WORKERS - 1) / WORKERS
    size = SIZES["criteo"].features
    rows = rows_of(figure_2) if figure_2 else []
    # The weights besides the table's.
    dense = next((r["parameters"] - size * dim for r in rows if is_released(r)), 0)
    of_rows = share * BATCH * _fields() * (4 * dim + 4) + 2 * share * dense * 4

    def of_table(line):
        return 2 * share * line["rows"] * dim * 4

    def gigabytes(line):
        return line["rows"] * dim * 4 / 1e9

    columns = {
        "rows of the table": "{rows:,}",
        "table, GB": lambda line: f"{gigabytes(line):.2f}",
        "with Adam's moments, GB": lambda line: f"{3 * gigabytes(line):.2f}",
        "MB a step, as rows": lambda _: f"{of_rows / 1e6:.1f}",
        f"ms at {GIGABITS} Gbit/s": lambda _: f"{of_rows * 8 / GIGABITS / 1e6:.1f}",
        "MB a step, were it the whole table": lambda line: f"{of_table(line) / 1e6:,.0f}",
    }
    return table(columns, [{"rows": n} for n in (size, 10 * size, TABLE_ROWS)])


def is_released(row: Summary) -> bool:
    """Returns whether a row of Figure 2 is of InterHAt, `released`, at Criteo's sizes."""
    return row["model"] == "interhat" and row["size"] == "criteo"


def steps(summary: Summary) -> dict[str, Any]:
    """Returns how long a step takes by the size of the table, and an epoch of the log."""
    group = next(g for g in summary["groups"] if g["of"]["model"] == "interhat")
    columns = {
        "optimizer": "`{optimizer}`",
        "weights averaged": is_averaged,
        "rows of the table": "{features:,}",
        "ms a step": lambda row: f"{row['seconds'] * 1e3:.1f}",
        "rows/s": rate,
        "days an epoch of the log, one machine": lambda row: (
            f"{LOG_ROWS / row['batch'] * row['seconds'] / 86400:,.1f}"
        ),
    }
    return {
        "steps": math.ceil(LOG_ROWS / BATCH),
        "written": measured([group], "--grid=table_size"),
        "rates": table(columns, group["rows"]),
    }


def serving(latency: Summary | None, server: Summary | None) -> dict[str, Any] | None:
    """Returns how many replicas answer all requests, by how long each takes."""
    lines = []
    if latency:
        lines += [
            {"what": f"`{row['preset']}`, {row['export']}", "cores": cores_of(latency), **row}
            for row in latency["rows"]
            if row["records"] in (1, 100)
            and row["export"].startswith("ONNX")
            and not row["export"].endswith("at a time")  # no fewer than these at once
        ]
    if server:
        about = {"what": "example server, explained", "cores": cores_of(server)}
        lines += [{**about, **row} for row in server["rows"]]
    if not lines:
        return None

    def replicas(line):
        return math.ceil(REQUESTS * line["p50"] / BUSY)

    columns = {
        "what answers": "{what}",
        "records a request": "{records}",
        "p50, ms": lambda line: f"{line['p50'] * 1e3:.2f}",
        "requests/s a replica": lambda line: f"{BUSY / line['p50']:,.0f}",
        "cores of a replica": "{cores}",
        "replicas": lambda line: f"{replicas(line):,}",
        "US dollars an hour": lambda line: f"{replicas(line) * line['cores'] * PRICE.value:,.2f}",
    }
    commands = ((latency, "latency"), (server, "server"))
    said = [written(s, f"python -m experiments.speed.{name}") for s, name in commands if s]
    return {"replicas": table(columns, lines), "written": " ".join(said)}


if __name__ == "__main__":
    run_program(main, results_dir=PUBLISHED)
