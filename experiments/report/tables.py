"""The paper's tables and figures beside ours, on one page, and the pages that it links to.

    python -m experiments.report.tables

Reads the summaries that the experiments wrote under `--results_dir` and writes
there `README.md`, with its pictures, and `index.html`, which holds all that it
shows and needs no network. The published results, `experiments/results`, are
the default.
"""

import functools
import pathlib
from collections.abc import Callable, Iterator

from experiments.common.results import PUBLISHED, RESULTS_DIR, read_result, read_results
from experiments.common.running import run_program
from experiments.report import beyond_page as beyond
from experiments.report import speed_page as speed
from experiments.report.at_a_glance import at_a_glance
from experiments.report.cells import Summary
from experiments.report.criteo_avazu_page import write_criteo_avazu_page
from experiments.report.faithfulness_page import write_faithfulness_page
from experiments.report.figure_2_page import figure_2
from experiments.report.movielens_page import movielens_scores, three_ratings
from experiments.report.pages import Section, write_pages
from experiments.report.rules_page import write_rules_page
from experiments.report.scaling_page import scaling
from experiments.report.sensitivity_page import sensitivity
from experiments.report.table_3_page import frappe_negatives, table_3

TITLE = "InterHAt: the paper's tables and figures, and ours"

# The sections beyond the paper: a title, a text, and what makes blocks of which summaries.
BEYOND_THE_PAPER = [
    (
        "Training on a CPU: microbatches",
        speed.ABOUT_MICROBATCHES,
        {"speed/microbatch.json": speed.microbatches},
    ),
    (
        "Speed: all models, in shares of what the machine can do",
        speed.ABOUT_ALL_MODELS,
        {
            "speed/models.json": functools.partial(speed.all_models, "models"),
            "speed/gpu.json": functools.partial(speed.all_models, "gpu"),
        },
    ),
    (
        "Speed: where a step's time goes",
        "Not in the paper.",
        {"speed/profile.json": beyond.profile},
    ),
    ("Speed: what a step grows with", "Not in the paper.", {"speed/scaling.json": scaling}),
    (
        "Large vocabularies: the lazy Adam",
        beyond.ABOUT_LAZY_ADAM,
        {"speed/table_size.json": speed.table_size, "lazy_adam/*/summary.json": beyond.lazy_adam},
    ),
    ("Serving: latency", "Not in the paper.", {"speed/latency.json": beyond.latency}),
    (
        "Preparing and reading data",
        "Not in the paper.",
        {"speed/preparation.json": beyond.preparation, "speed/readers.json": beyond.readers},
    ),
    (
        "More than one device",
        "Not in the paper.",
        {
            "two_workers/summary.json": beyond.two_workers,
            "speed/sharded_tables.json": beyond.sharded_tables,
        },
    ),
]


def main(_):
    folder = pathlib.Path(RESULTS_DIR.value)
    write_pages(folder, TITLE, [at_a_glance(), *of_the_paper(), *beyond_the_paper()])
    if summary := read_result("figures_8_to_10/summary.json"):
        write_rules_page(folder / "figures_8_to_10", summary)
    for name, summary in read_results("*/summary.json").items():
        if name.startswith(("criteo", "avazu")):
            write_criteo_avazu_page(folder / name, summary)
    write_faithfulness_page(folder / "faithfulness")


def of_the_paper() -> list[Section]:
    """Returns the sections on what the paper shows."""
    return [
        *each(table_3, "table_3/*/summary.json"),
        *each(frappe_negatives, "frappe_negatives/*/summary.json"),
        *each(figure_2, "speed/figure_2.json"),
        *sensitivity("figure_3", "number of heads"),
        *sensitivity("figure_4", "highest order k"),
        *each(movielens_scores, "figures_5_to_7/summary.json"),
        *each(three_ratings, "figures_5_to_7/summary.json"),
    ]


def each(section: Callable[[Summary], Section], path: str) -> list[Section]:
    """Returns a section for each summary whose path matches."""
    return [section(summary) for summary in read_results(path).values()]


def beyond_the_paper() -> Iterator[Section]:
    """Yields the sections on speed, serving and several devices that have a summary."""
    for title, about, sources in BEYOND_THE_PAPER:
        blocks = [
            block
            for path, blocks_of in sources.items()
            for summary in read_results(path).values()
            for block in blocks_of(summary)
        ]
        if blocks:
            yield Section(title, [about, *blocks])


if __name__ == "__main__":
    run_program(main, results_dir=PUBLISHED)
