"""The paper's tables and figures beside ours, on one page, and the pages that it links to.

    python -m experiments.report.tables

Reads the summaries that the experiments wrote under `--results_dir` and writes
there `README.md`, with its pictures, and `index.html`, which holds all that it
shows and needs no network. The published results, `experiments/results`, are
the default.
"""

import pathlib

from experiments.common.results import PUBLISHED, RESULTS_DIR, read_result, read_results
from experiments.common.running import run_program
from experiments.report.at_a_glance import at_a_glance
from experiments.report.beyond_page import data_pipeline, devices, large_tables, profile, serving
from experiments.report.criteo_avazu_page import write_criteo_avazu_page
from experiments.report.faithfulness_page import write_faithfulness_page
from experiments.report.figure_2_page import figure_2
from experiments.report.movielens_page import movielens
from experiments.report.pages import Section, write_pages
from experiments.report.rules_page import write_rules_page
from experiments.report.sensitivity_page import sensitivity
from experiments.report.speed_page import all_models, microbatches, scaling
from experiments.report.table_3_page import frappe_negatives, table_3

TITLE = "InterHAt: the paper's tables and figures, reproduced"


def main(_):
    folder = pathlib.Path(RESULTS_DIR.value)
    write_pages(folder, TITLE, [*of_the_paper(), *beyond_the_paper()])
    if summary := read_result("figures_8_to_10/summary.json"):
        write_rules_page(folder / "figures_8_to_10", summary)
    for name, summary in read_results("*/summary.json").items():
        if name.startswith(("criteo", "avazu")):
            write_criteo_avazu_page(folder / name, summary)
    write_faithfulness_page(folder / "faithfulness")


def of_the_paper() -> list[Section]:
    """Returns the sections on what the paper shows."""
    by_data = ("table_3", "frappe_negatives", "figure_3", "figure_4")
    results = {name: read_results(f"{name}/*/summary.json") for name in by_data}
    results["figure_2"] = read_result("speed/figure_2.json")
    for name in ("figures_5_to_7", "figures_8_to_10"):
        results[name] = read_result(f"{name}/summary.json")
    heads, orders = results["figure_3"], results["figure_4"]
    return [
        at_a_glance(results),
        *(table_3(name, summary) for name, summary in results["table_3"].items()),
        *map(frappe_negatives, results["frappe_negatives"].values()),
        *figure_2(results["figure_2"]),
        *sensitivity(heads, "Figure 3: number of heads", "figure_3", "number of heads"),
        *sensitivity(orders, "Figure 4: highest order k", "figure_4", "highest order k"),
        *movielens(results["figures_5_to_7"]),
    ]


def beyond_the_paper() -> list[Section]:
    """Returns the sections on speed, serving and several devices."""

    def of(name):
        return read_result(f"speed/{name}.json")

    return [
        *microbatches(of("microbatch")),
        *all_models(("models", of("models")), ("gpu", of("gpu"))),
        *profile(of("profile")),
        *scaling(of("scaling")),
        *large_tables(of("table_size"), read_results("lazy_adam/*/summary.json")),
        *serving(of("latency")),
        *data_pipeline(of("preparation"), of("readers")),
        *devices(read_result("two_workers/summary.json"), of("sharded_tables")),
    ]


if __name__ == "__main__":
    run_program(main, results_dir=PUBLISHED)
