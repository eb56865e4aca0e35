"""The paper's tables and figures beside ours, on one page, and the pages that it links to.

    python -m experiments.report.tables

Reads the summaries that the experiments wrote under `--results_dir` and writes
there `README.md`, with its pictures, and `index.html`, which holds all that it
shows and needs no network. The published results, `experiments/results`, are
the default. What the pages say is written in `pages/`, as Markdown.
"""

import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from experiments.common.results import PUBLISHED, RESULTS_DIR, read_result, read_results
from experiments.common.running import run_program
from experiments.common.table_3_files import read_tables_3
from experiments.report import beyond_page as beyond
from experiments.report import own_log_page as own_log
from experiments.report import speed_page as speed
from experiments.report.at_a_glance import at_a_glance, verdict
from experiments.report.blocks import Block, write_pages
from experiments.report.calibration_page import calibration
from experiments.report.cells import Summary, no_table
from experiments.report.changes_page import changes
from experiments.report.criteo_avazu_page import write_criteo_avazu_page
from experiments.report.crosses_page import crosses, read_crosses
from experiments.report.faithfulness_page import write_faithfulness_page
from experiments.report.figure_2_page import figure_2
from experiments.report.movielens_page import movielens
from experiments.report.quality_page import time_to_quality
from experiments.report.rules_page import write_rules_page
from experiments.report.scaling_page import scaling
from experiments.report.sensitivity_page import sensitivity
from experiments.report.table_1_page import table_1
from experiments.report.table_3_page import frappe_negatives, table_3
from experiments.report.templates import fill

# The summaries of each part of `pages/results.md`, by their paths or what reads them, and what
# computes its tables and figures.
PARTS: dict[str, tuple[str | Callable[[], list[Summary]], Callable[[Summary], Summary]]] = {
    "table_3": (read_tables_3, table_3),
    "frappe_negatives": ("frappe_negatives/*/summary.json", frappe_negatives),
    "crosses": (read_crosses, crosses),
    "calibration": ("calibration/*.json", calibration),
    "figure_2": ("speed/figure_2.json", figure_2),
    "movielens": ("figures_5_to_7/summary.json", movielens),
    "microbatch": ("speed/microbatch.json", speed.microbatches),
    "models": ("speed/models.json", functools.partial(speed.all_models, "models")),
    "gpu": ("speed/gpu.json", functools.partial(speed.all_models, "gpu")),
    "profile": ("speed/profile.json", beyond.profile),
    "scaling": ("speed/scaling.json", scaling),
    "table_size": ("speed/table_size.json", speed.table_size),
    "lazy_adam": ("lazy_adam/*/summary.json", beyond.lazy_adam),
    "explanations": ("speed/explanations/*.json", beyond.explanations),
    "latency": ("speed/latency.json", beyond.latency),
    "onnx_forms": ("speed/onnx_forms.json", beyond.onnx_forms),
    "preparation": ("speed/preparation.json", beyond.preparation),
    "readers": ("speed/readers.json", beyond.readers),
    "tuned": ("tuned/*/summary.json", changes),
    "paper_penalty": ("paper_penalty/*/summary.json", changes),
    "seeds": ("seeds/*/summary.json", changes),
    "preparation_of_own_log": ("speed/own_log.json", own_log.preparation),
    "scoring": ("speed/scoring.json", own_log.scoring),
    "server": ("speed/server.json", own_log.server),
    "exports": ("exports/summary.json", own_log.exports),
    "own_logs": ("own_logs/summary.json", own_log.own_logs),
    "new_users": ("new_users/movielens/summary.json", own_log.new_users),
    "number_scales": (own_log.read_number_scales, own_log.number_scales),
    "numerical_embeddings": (own_log.read_numerical_embeddings, own_log.numerical_embeddings),
    "sampled_negatives": ("sampled_negatives/summary.json", own_log.sampled_negatives),
    "continued_training": ("continued_training/summary.json", beyond.continued_training),
    "killed_trainings": ("resume/summary.json", no_table),
    "killed_preparations": ("killed_preparations/summary.json", no_table),
    "full_disks": ("full_disks/summary.json", no_table),
    "pairs": ("pairs/summary.json", no_table),
    "two_workers": ("two_workers/summary.json", beyond.two_workers),
    "alignment": ("speed/alignment.json", beyond.alignment),
    "histories": ("speed/histories.json", beyond.histories),
    "value_lists": ("speed/value_lists.json", beyond.value_lists),
    "time_to_quality": ("time_to_quality/*/summary.json", time_to_quality),
    "sharded_tables": ("speed/sharded_tables.json", beyond.sharded_tables),
}


def main(_):
    folder = pathlib.Path(RESULTS_DIR.value)
    found = {
        name: list(read_results(source).values()) if isinstance(source, str) else source()
        for name, (source, _) in PARTS.items()
    }
    figures_3_and_4 = [
        *sensitivity("figure_3", "number of heads"),
        *sensitivity("figure_4", "highest order k"),
    ]
    glance = at_a_glance()
    page = results_page(
        found,
        verdict=verdict(glance),
        at_a_glance=glance,
        table_1=table_1(),
        sensitivity=figures_3_and_4,
    )
    write_pages(folder, page)
    if summary := read_result("figures_8_to_10/summary.json"):
        write_rules_page(folder / "figures_8_to_10", summary)
    for name, summary in read_results("*/summary.json").items():
        if name.startswith(("criteo", "avazu")):
            write_criteo_avazu_page(folder / name, summary)
    write_faithfulness_page(folder / "faithfulness")


def results_page(found: Mapping[str, list[Summary]], **first: Any) -> list[Block]:
    """Returns the page of results.

    Args:
        found: The summaries of each part; without any, the part is left out.
        **first: What the page says of several summaries together: `at_a_glance` and its
            `verdict`, `table_1`, `sensitivity`.
    """
    parts = {
        name: [{**summary, "summary": summary, **part(summary)} for summary in found.get(name, [])]
        for name, (_, part) in PARTS.items()
    }
    return fill("results.md", **first, **parts)


if __name__ == "__main__":
    run_program(main, results_dir=PUBLISHED)
