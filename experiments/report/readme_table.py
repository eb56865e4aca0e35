"""The table of results in README.md, between two marks, from what Table 3's experiment wrote.

python -m experiments.report.readme_table
"""

import pathlib

from absl import flags

from experiments.common.markdown import markdown_table, pair, spread
from experiments.common.published import TABLE_3
from experiments.common.running import run_program
from interhat_tf.utils.files import read_json

README = flags.DEFINE_string("readme", "README.md", "the file that holds the table")
SUMMARY = flags.DEFINE_string(
    "summary", "experiments/results/table_3/frappe/summary.json", "Table 3's results on Frappe"
)
START, END = "<!-- results: make tables -->\n", "<!-- end of results -->"
# Each row's key in the summary, and what README calls it.
ROWS = {
    "dnn": "DNN, the best of fourteen models",
    "deepfm": "DeepFM",
    "interhat": "InterHAt, tuned like all others",
    "released": "InterHAt `released`, the authors' code",
    "paper": "InterHAt `paper`, the printed equations",
}


def main(_):
    readme = pathlib.Path(README.value)
    readme.write_text(with_table(readme.read_text(), table(read_json(SUMMARY.value))))


def table(summary):
    """Returns the table of a summary of `experiments.paper.table_3`."""
    models, published = summary["models"], TABLE_3["frappe"]
    best = max(models, key=lambda name: models[name]["test"]["auc"]["mean"])
    if best != "dnn":
        raise ValueError(f"{best} is the best model now, not the DNN: change the table's rows")
    papers = {"dnn": None, "deepfm": published["deepfm"]}  # the other rows are all InterHAt
    rows = [
        [
            title,
            spread(models[key]["test"]["auc"]),
            spread(models[key]["test"]["logloss"]),
            pair(papers.get(key, published["interhat"])),
        ]
        for key, title in ROWS.items()
    ]
    return markdown_table(["Frappe", "test AUC", "test logloss", "the paper's"], rows)


def with_table(text, table):
    """Returns README's text with the table between the marks."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"README has no {START.strip()} and {END}")
    return before + start + table + end + after


if __name__ == "__main__":
    run_program(main)
