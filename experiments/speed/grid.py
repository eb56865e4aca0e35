r"""Times the cases of a grid, say all models at Criteo's sizes: the grids stand in `grids.py`.

    python -m experiments.speed.grid --grid=figure_2
    python -m experiments.speed.grid --grid=models --sizes=criteo --xla
    python -m experiments.speed.grid --grid=models \
        --pytorch_python=OTHER/bin/python --fuxictr_zoo=FUXICTR/model_zoo

Cases of a group run in turn, round after round, so that a machine that slows down slows all
of them. A group that is done is printed, and written to `speed/GRID.json` among the results
in place of the same group there; `make tables` draws the page. Minutes on 2 cores, with
nothing else running: `models` 15, `figure_2` 6, `microbatch` 8, `scaling` 7, `table_size` 6
(and 20 GB of memory). `gpu` is `models` for a GPU: with XLA and without, two types, two batches.

`models` times FuxiCTR's InterHAt and a DeepFM in PyTorch as well, in float32 on the CPU, where
the flags say which Python has torch and fuxictr (`pip install torch fuxictr`) and where
FuxiCTR's repository lies (`git clone https://github.com/reczoo/FuxiCTR`).
"""

import dataclasses
import statistics
from typing import Any

from absl import flags

from experiments.common.flags import DATA_DIR, chosen_models
from experiments.common.markdown import markdown_table
from experiments.common.results import read_result, record, write_result
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.speed.ceilings import ceilings
from experiments.speed.grids import GRIDS, Case, Grid
from experiments.speed.paper_sizes import SIZES
from experiments.speed.processes import ROUNDS, TURN_SECONDS, fresh_process, run_alone
from experiments.speed.pytorch_cases import timed_in_pytorch
from experiments.speed.reading import time_input
from experiments.speed.timing import time_in_turn
from interhat_tf import kernels

GRID = flags.DEFINE_enum("grid", None, list(GRIDS), "what is compared")
ONLY_SIZES = flags.DEFINE_multi_enum("sizes", list(SIZES), list(SIZES), "sizes of the records")
BATCH = flags.DEFINE_integer("batch", None, "records of a step; default: the grid's")
PRECISION = flags.DEFINE_enum(
    "precision", None, ["float32", "mixed_bfloat16"], "type to compute in; default: the grid's"
)
XLA = flags.DEFINE_bool("xla", None, "let XLA compile; default: as the grid has it")
PIPELINE_ROWS = flags.DEFINE_integer("pipeline_rows", 1_000_000, "rows that the pipeline reads")


def main(_):
    grid = GRIDS[GRID.value]
    if any(case.code == "tensorflow" for case in grid.cases) and not kernels.LIBRARY.exists():
        raise ValueError("build the CPU kernels first: python -m interhat_tf.kernels")
    groups: dict[tuple, list[Case]] = {}
    for case in chosen(grid.cases):
        groups.setdefault(tuple(getattr(case, name) for name in grid.group_by), []).append(case)
    # This process leaves a GPU to those that measure.
    about = run_alone(record)
    for key, cases in groups.items():
        of = dict(zip(grid.group_by, key, strict=True))
        group = {"of": of, **about, **measured(grid, cases)}
        show(group)
        write_group(f"speed/{GRID.value}.json", group)


def chosen(cases: list[Case]) -> list[Case]:
    """Returns the cases that the flags choose, changed as the flags say.

    PyTorch's are left out without its Python, and where another type or XLA is asked for.
    """
    models = chosen_models(dict.fromkeys(case.model for case in cases))
    overrides = {"batch": BATCH, "precision": PRECISION, "jit_compile": XLA}
    given = {name: flag.value for name, flag in overrides.items() if flag.value is not None}
    found: list[Case] = []
    for case in cases:
        if case.model in models and case.size in ONLY_SIZES.value:
            changed = dataclasses.replace(case, **given)
            missing = case.code == "pytorch" and not timed_in_pytorch(changed)
            found += [changed] if changed not in found and not missing else []
    return found


def measured(grid: Grid, cases: list[Case]) -> dict[str, Any]:
    """Returns what was measured of cases that belong together."""
    seconds, facts = time_in_turn(cases, ROUNDS.value, TURN_SECONDS.value)
    summary = {
        "average": "medians",
        "rounds": ROUNDS.value,
        "rows": [
            {
                **{name: value for name, value in vars(case).items() if value not in (None, {})},
                **known,
                "seconds": statistics.median(times),
                "deviation": mean_and_std(times)["std"],
                "of_rounds": times,
                "against": compared(grid, case, cases, seconds),
            }
            for case, times, known in zip(cases, seconds, facts, strict=True)
        ],
    }
    if grid.limits:
        how = ROUNDS.value, TURN_SECONDS.value, PIPELINE_ROWS.value, DATA_DIR.value
        with fresh_process() as call:
            summary["ceilings"] = call(ceilings)
            summary["input"] = call(time_input, cases[0], *how)
    return summary


def compared(
    grid: Grid, case: Case, cases: list[Case], seconds: list[list[float]]
) -> dict[str, dict[str, Any]]:
    """Returns how a case stands to those that its grid compares it with, round by round.

    `time` is how many times as long it takes, `rate` how many times as many rows a second it has.
    """
    found = {}
    for name, fields in grid.against.items():
        other = dataclasses.replace(case, **fields)
        if other in cases:
            ours, theirs = seconds[cases.index(case)], seconds[cases.index(other)]
            times = [our / their for our, their in zip(ours, theirs, strict=True)]
            rates = [1 / time for time in times]
            found[name] = {"time": mean_and_std(times), "rate": mean_and_std(rates)}
    return found


def show(group: dict[str, Any]) -> None:
    """Prints the rows of a group."""
    usual = vars(Case())
    cells = []
    for row in group["rows"]:
        changed = [
            f"{name} {row[name]}"
            for name in usual
            if name not in ("model", "work", *group["of"])
            and row.get(name, usual[name]) != usual[name]
        ]
        rate, spread = row["batch"] / row["seconds"], row["deviation"] / row["seconds"]
        title = ", ".join([row["model"], row["work"], *changed])
        cells.append([title, f"{rate:,.0f}", f"{spread:.1%}"])
    title = ", ".join(f"{name} {value}" for name, value in group["of"].items())
    print(f"\n{markdown_table([title, 'rows/s', 'spread'], cells)}")


def write_group(name: str, group: dict[str, Any]) -> None:
    """Writes a group into a grid's summary, in place of the same group if that is there."""
    groups = (read_result(name) or {"groups": []})["groups"]
    same = [number for number, other in enumerate(groups) if other["of"] == group["of"]]
    place = same[0] if same else len(groups)
    groups[place : place + 1] = [group]
    write_result(name, {"groups": groups})


if __name__ == "__main__":
    run_program(main, required=["grid"])
