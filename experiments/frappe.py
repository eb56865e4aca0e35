"""InterHAt on Frappe beside the paper's Table 3: five seeds a model.

    python -m experiments.frappe --raw_dir=FOLDER

Trains the presets `paper`, `released` and `tuned`, the ablation InterHAt-S and
a look-up baseline on the NFM files, and writes `experiments/results/frappe/`:
`summary.json`, a row a model, and `README.md`. About 30 minutes on 2 cores;
runs that are done are not run again. Expected test AUC
and logloss: see `experiments/results/frappe/README.md`.
"""

import datetime
import pathlib

import numpy as np
from absl import flags

from experiments.programs import markdown_table, mean_and_std, run_program, train_runs
from interhat_tf import metrics
from interhat_tf.files import atomic_write, write_json
from interhat_tf.input_pipeline import prepared_dataset
from interhat_tf.training import versions

DATASET = "frappe/nfm"
# What is trained, and what Table 3 of the paper says of it: (AUC, logloss).
MODELS = {
    "paper": ({"model": "interhat", "preset": "paper"}, (0.9696, 0.2026)),
    "released": ({"model": "interhat", "preset": "released"}, (0.9696, 0.2026)),
    "tuned": ({"model": "interhat", "preset": "tuned"}, (0.9696, 0.2026)),
    "InterHAt-S": ({"model": "interhat_s", "preset": "released"}, (0.9616, 0.2151)),
}
POPULARITY_BINS = 20

RAW_DIR = flags.DEFINE_string("raw_dir", None, "folder of the NFM files")
DATA_DIR = flags.DEFINE_string("data_dir", "prepared", "folder of the prepared data sets")
RUNS_DIR = flags.DEFINE_string("runs_dir", "runs/frappe", "folder of the runs")
RESULTS_DIR = flags.DEFINE_string("results_dir", "experiments/results/frappe", "what is written")
CHOSEN = flags.DEFINE_multi_enum("models", list(MODELS), list(MODELS), "what to train")
SEEDS = flags.DEFINE_multi_integer("seeds", [0, 1, 2, 3, 4], "seeds")
WORKERS = flags.DEFINE_integer("workers", 2, "runs that go on side by side")
NOTE = flags.DEFINE_string("note", "", "what to say of the data on the page")


def main(_):
    data = prepared_dataset(DATASET, DATA_DIR.value, RAW_DIR.value)
    rows = {"look-up": look_up_baseline(data)}
    reports = {name: [] for name in CHOSEN.value}
    runs = [
        {
            "dataset": DATASET,
            **MODELS[name][0],
            "seed": seed,
            "data_dir": DATA_DIR.value,
            "output_dir": f"{RUNS_DIR.value}/{name}-{seed}",
        }
        for seed in SEEDS.value
        for name in CHOSEN.value
    ]
    for run, report in train_runs(runs, WORKERS.value):
        name = pathlib.Path(run["output_dir"]).name.rsplit("-", 1)[0]
        reports[name].append(report)
    rows |= {name: summarise(of_model, MODELS[name][1]) for name, of_model in reports.items()}
    summary = {
        "data": {"set": data.name, "note": NOTE.value},
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "models": rows,
    }
    results = pathlib.Path(RESULTS_DIR.value)
    write_json(results / "summary.json", summary)
    with atomic_write(results / "README.md") as file:
        file.write(page(summary).encode())
    print(page(summary))


def look_up_baseline(data):
    """Ranks by whether the user-app pair was positive in training, then by the app's popularity.

    The logloss is that of the click rates which validation has for the pairs
    seen and not seen, by bins of popularity.
    """
    fields = [data.schema.field_names.index(name) for name in ("user", "item")]
    ids, labels = {}, {}
    for split in ("train", "validation", "test"):
        batches = list(data.evaluation_batches(split, 8192).as_numpy_iterator())
        ids[split] = np.concatenate([inputs["categorical"][:, fields] for inputs, _ in batches])
        labels[split] = np.concatenate([label for _, label in batches])
    apps = data.schema.vocabulary_sizes[fields[1]]
    positive = ids["train"][labels["train"] == 1]  # (positives, 2)
    popularity = np.bincount(positive[:, 1], minlength=apps)
    pairs = np.unique(positive @ [apps, 1])

    def rank(split):
        seen = np.isin(ids[split] @ [apps, 1], pairs)
        return seen, popularity[ids[split][:, 1]] / (popularity.max() + 1)

    seen, popular = rank("validation")
    edges = np.unique(np.quantile(popular, np.linspace(0, 1, POPULARITY_BINS + 1)[1:-1]))
    cells = seen * (len(edges) + 1) + np.searchsorted(edges, popular, side="right")
    size = 2 * (len(edges) + 1)
    clicks = np.bincount(cells, labels["validation"], minlength=size)
    rates = (clicks + 1) / (np.bincount(cells, minlength=size) + 2)

    seen, popular = rank("test")
    cells = seen * (len(edges) + 1) + np.searchsorted(edges, popular, side="right")
    logits = np.log(rates[cells] / (1 - rates[cells]))
    return {
        "test": {
            "auc": {"mean": metrics.auc(labels["test"], seen + popular), "std": 0.0},
            "logloss": {"mean": metrics.logloss(labels["test"], logits), "std": 0.0},
        }
    }


def summarise(reports, published):
    """Returns a model's row: mean and spread over the seeds of its reports."""
    reports = sorted(reports, key=lambda report: report["config"]["training"]["seed"])
    return {
        **{
            split: {
                metric: mean_and_std([report[split][metric] for report in reports])
                for metric in ("auc", "logloss")
            }
            for split in ("validation", "test")
        },
        "paper": dict(zip(("auc", "logloss"), published, strict=True)),
        "seeds": [report["config"]["training"]["seed"] for report in reports],
        "parameters": reports[0]["parameters"],
        "epochs": [report["training"]["epochs"] for report in reports],
        "commits": sorted({str(report["versions"]["commit"]) for report in reports}),
        "runs": [
            {"validation": report["validation"], "test": report["test"]} for report in reports
        ],
    }


def page(summary):
    """Returns the page of results, as Markdown."""

    def cell(row, split, metric):
        value = row.get(split, {}).get(metric)
        if value is None:
            return "–"
        spread = f" ± {value['std']:.4f}" if len(row.get("seeds", ())) > 1 else ""
        return f"{value['mean']:.4f}{spread}"

    rows = [
        [
            name,
            cell(row, "test", "auc"),
            cell(row, "test", "logloss"),
            row["paper"]["auc"] if "paper" in row else "–",
            row["paper"]["logloss"] if "paper" in row else "–",
            cell(row, "validation", "auc"),
            cell(row, "validation", "logloss"),
            f"{row['parameters']:,}" if "parameters" in row else "–",
            len(row.get("seeds", ())) or "–",
        ]
        for name, row in summary["models"].items()
    ]
    header = ["model", "test AUC", "test logloss", "paper's AUC", "paper's logloss"]
    header += ["validation AUC", "validation logloss", "parameters", "seeds"]
    note = f" {summary['data']['note']}." if summary["data"]["note"] else ""
    used = summary["versions"]
    return f"""# Frappe

Data: `{summary["data"]["set"]}`, the NFM files.{note}
Mean ± standard deviation over seeds. Written on {summary["date"]} by
`make reproduce-frappe FRAPPE=<folder>`; TensorFlow {used["tensorflow"]}, Keras {used["keras"]},
{used["machine"]}.

{markdown_table(header, rows)}
The look-up baseline ranks a test row by whether its user-app pair was positive in training, then
by the app's popularity there. Settings were chosen on validation (`search.json`); the test split
was read once a run, after training.
"""


if __name__ == "__main__":
    run_program(main)
