"""InterHAt on Criteo or Avazu: the paper's Table 1 and its row of Table 3, from the raw log.

    python -m experiments.paper.criteo_avazu --dataset=criteo --raw_dir=train.txt
    python -m experiments.paper.criteo_avazu --dataset=criteo --generate=200000

Prepares the log by the paper's protocol (the first 30% of the rows, 8:1:1),
trains InterHAt with the settings of Table 2, and writes to `DATASET/` under
`--results_dir`: `summary.json`, the heat map of the mean attention on
validation, and a page of both. With `--generate` instead of a log it generates
one with this number of rows, whose best possible AUC and planted fields are
known, and writes to `DATASET_generated_ROWS/`. An epoch of the full Criteo log is
11 million rows; runs that are done are not run again, and one that was stopped
is resumed.
"""

import pathlib
from typing import Any

import numpy as np

from experiments.common import studies
from experiments.common.flags import RAW_DIR
from experiments.common.published import TABLE_3
from experiments.common.results import result_path, write_result
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std
from experiments.common.studies import BUILDERS, GENERATE, METRICS, dataset_name
from experiments.report.criteo_avazu_page import write_criteo_avazu_page
from interhat_tf.explanation.attention_maps import Attention
from interhat_tf.explanation.heatmap import attention_heatmap, save_heatmap

PRESET = "released"

Truth = dict[str, Any]


def main(_):
    check_log()
    data = studies.open_data()
    truth = studies.generated()[1] if GENERATE.value else None
    runs = studies.runs_of("interhat", preset=PRESET)
    reports = studies.train_all({PRESET: runs})[PRESET]
    paths = [max(pathlib.Path(run["output_dir"]).glob("attention/*/all.npz")) for run in runs]
    attentions = [Attention.load(path) for path in paths]
    summary = {
        **studies.study_record(data),
        "log": studies.raw_log().name,
        **studies.best_possible(data),
        **summarise(reports, attentions),
        **beside(truth, attentions),
    }
    name = f"{dataset_name()}_generated_{GENERATE.value}" if truth else dataset_name()
    write_result(f"{name}/summary.json", summary)
    draw(truth, attentions[0], result_path(f"{name}/attention.png"))
    write_criteo_avazu_page(result_path(name), summary)


def check_log() -> None:
    """Says how to get the log if it is missing.

    Raises:
        FileNotFoundError: If it is.
        ValueError: If the data set is another one.
    """
    name, log = dataset_name(), RAW_DIR.value
    if name not in BUILDERS:
        raise ValueError(f"--dataset must be one of {', '.join(BUILDERS)}")
    if GENERATE.value or (log and pathlib.Path(log).exists()):
        return
    file = BUILDERS[name].FILE_NAMES[0]
    raise FileNotFoundError(
        f"{f'{log} is missing' if log else 'no log is given'}: get {file} from "
        f"{BUILDERS[name].SOURCE}, whose terms have to be accepted there, and run "
        f"`make reproduce-{name} {name.upper()}=<path of {file}>`; or try it on a generated log "
        f"with `make reproduce-{name} ROWS=200000`"
    )


def summarise(reports: list[dict[str, Any]], attentions: list[Attention]) -> dict[str, Any]:
    """Returns what was trained, its figures and its mean attention."""
    names = attentions[0].field_names
    order_weights = np.mean([a.order_weights for a in attentions], axis=0)  # (k,)
    return {
        "config": reports[0]["config"],
        "seeds": [report["config"]["training"]["seed"] for report in reports],
        "parameters": reports[0]["parameters"],
        "epochs": [report["training"]["epochs"] for report in reports],
        "rows_per_second": mean_and_std([r["training"]["rows_per_second"] for r in reports]),
        "attention": dict(zip(names, combined_weights(attentions).tolist(), strict=True)),
        "order_weights": order_weights.tolist(),
        **{split: studies.scores(reports, split) for split in ("validation", "test")},
    }


def combined_weights(attentions: list[Attention]) -> np.ndarray:
    """Returns the fields' weights, the orders' rows combined by alpha_f: (m,)."""
    return np.mean([a.order_weights @ a.field_weights for a in attentions], axis=0)


def beside(truth: Truth | None, attentions: list[Attention]) -> dict[str, Any]:
    """Returns what the figures stand beside: the paper's, or the truth about a generated log."""
    if truth is None:
        paper = TABLE_3[dataset_name()]["interhat"]
        return {"paper": dict(zip(METRICS, paper, strict=True))}
    names = attentions[0].field_names
    combined = combined_weights(attentions)
    highest = np.mean([a.field_weights.max(axis=0) for a in attentions], axis=0)  # (m,)
    planted = [
        {
            "fields": term["fields"],
            "auc": term["auc"],
            "ranks": ranks(combined, names, term["fields"]),
            "ranks_in_any_order": ranks(highest, names, term["fields"]),
        }
        for term in truth["terms"]
    ]
    known = {key: truth[key] for key in ("rows", "seed", "click_rate", "best")}
    return {"truth": {**known, "planted": planted}}


def ranks(weights: np.ndarray, field_names: tuple[str, ...], chosen: list[str]) -> list[int]:
    """Returns the ranks of the chosen fields by weight; 1 is that of the highest."""
    order = [field_names[position] for position in np.argsort(-weights)]
    return [order.index(field) + 1 for field in chosen]


def draw(truth: Truth | None, attention: Attention, path: pathlib.Path) -> None:
    """Writes the heat map of the mean attention; planted fields are marked."""
    planted = [field for term in truth["terms"] for field in term["fields"]] if truth else []
    title = f"{dataset_name()}: mean over {attention.records:,} records of validation"
    save_heatmap(attention_heatmap(attention, title=title, highlight=planted), path)


if __name__ == "__main__":
    run_program(main, required=["dataset"], seeds=[0], workers=1)
