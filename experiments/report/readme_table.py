"""The table of results in README.md, between two marks: Table 3's, and with click counts.

python -m experiments.report.readme_table
"""

import pathlib

from absl import flags

from experiments.common.markdown import markdown_table, pair, spread
from experiments.common.published import CONTENDERS, FORMS, PAIRS_ROW, TABLE_3
from experiments.common.results import PUBLISHED, read_result
from experiments.common.running import run_program
from experiments.common.table_3_files import read_table_3

README = flags.DEFINE_string("readme", "README.md", "the file that holds the table")
START, END = "<!-- results: make tables -->\n", "<!-- end of results -->\n"
# The rows besides the best of the other models, and what README calls them.
ROWS = {
    "deepfm": "DeepFM",
    "interhat": "InterHAt, tuned like all others",
    PAIRS_ROW: "InterHAt with values of pairs, tuned alike",
    "tuned": "InterHAt `tuned`, as it comes",
    "released": "InterHAt `released`, the authors' code",
    "paper": "InterHAt `paper`, the printed equations",
}
# Models whose figures with click counts stand below, and the variant of `crosses.py` that has them.
COUNTED = {
    "interhat": "InterHAt with field-aware values",
    PAIRS_ROW: "InterHAt with values of pairs",
    "lightgbm": "LightGBM",
}
VARIANT = "clicks 1"


def main(_):
    readme = pathlib.Path(README.value)
    readme.write_text(with_table(readme.read_text(), table(read_table_3("frappe"), read_counted())))


def read_counted():
    """Returns the rows of models with the click counts of one pair of fields, by their names."""
    found = {name: read_result(f"crosses/frappe/{name}.json") for name in COUNTED}
    known = {name: result["rows"] for name, result in found.items() if result}
    return {name: rows[VARIANT] for name, rows in known.items() if VARIANT in rows}


def table(summary, counted):
    """Returns the table of README, from Table 3's results on Frappe and those with click counts."""
    models, published = summary["models"], TABLE_3["frappe"]
    others = [name for name in models if name not in FORMS]

    def score(name):  # by which Table 3 chooses settings, too
        found = models[name]["validation"]
        return found["auc"]["mean"] - found["logloss"]["mean"]

    best = max(others, key=score)
    titles = {best: f"{CONTENDERS[best]}, the best of {len(others)} others on validation"}
    titles |= {name: title for name, title in ROWS.items() if name in models and name != best}
    rows = [
        [
            title,
            spread(models[name]["test"]["auc"]),
            spread(models[name]["test"]["logloss"]),
            pair(published.get(name if name in others else "interhat")),
        ]
        for name, title in titles.items()
    ]
    for name, row in counted.items():
        (pair_of,) = next(iter(row["crosses"].values()))
        title = f"{COUNTED[name]}, with the clicks of {' × '.join(pair_of)}"
        rows.append([title, spread(row["test"]["auc"]), spread(row["test"]["logloss"]), pair(None)])
    return markdown_table(["Frappe", "test AUC", "test logloss", "the paper's"], rows)


def with_table(text, table):
    """Returns README's text with the table between the marks."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"README has no {START.strip()} and {END}")
    return before + start + table + end + after


if __name__ == "__main__":
    run_program(main, results_dir=PUBLISHED)
