"""InterHAt on Criteo or Avazu: the paper's Table 1 and its row of Table 3, from the raw log.

    python -m experiments.paper.criteo_avazu --dataset=criteo --log=train.txt
    python -m experiments.paper.criteo_avazu --dataset=criteo --rows=200000

Prepares the log by the paper's protocol (the first 30% of the rows, 8:1:1),
trains InterHAt with the settings of Table 2, and writes
`experiments/results/DATASET/`: `summary.json`, `README.md` and the heat map of
the mean attention on validation. With `--rows` instead of a log it generates
one of so many rows, whose best possible AUC and planted fields are known, and
writes `experiments/results/DATASET_generated_ROWS/`. An epoch of the full Criteo log
is 11 million rows; runs that are done are not run again, and one that was
stopped goes on.
"""

import datetime
import pathlib

import numpy as np
from absl import flags

from experiments.common.click_logs import BUILDERS, file_name, folder_of, generated_log
from experiments.common.markdown import markdown_table
from experiments.common.running import run_program, train_runs
from experiments.common.statistics import mean_and_std
from interhat_tf.explanation.attention_maps import Attention
from interhat_tf.explanation.heatmap import attention_heatmap, save_heatmap
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.training.loop import versions
from interhat_tf.utils.files import atomic_write, write_json

# Table 1: fields, records, distinct features. Table 3: AUC and logloss of InterHAt.
PAPER = {
    "criteo": {
        "fields": "22 + 14",
        "records": "13.8M",
        "features": "605.7K",
        "auc": 0.7845,
        "logloss": 0.4577,
    },
    "avazu": {
        "fields": "21 + 0",
        "records": "12.1M",
        "features": "23.8K",
        "auc": 0.7582,
        "logloss": 0.3910,
    },
}
PRESET = "released"

DATASET = flags.DEFINE_enum("dataset", None, list(PAPER), "data set", required=True)
LOG = flags.DEFINE_string("log", None, "the original log: a file, or a folder of parts")
ROWS = flags.DEFINE_integer("rows", None, "rows of a log that is generated instead")
SEEDS = flags.DEFINE_multi_integer("seeds", [0], "seeds of the training")
MAX_EPOCHS = flags.DEFINE_integer("max_epochs", None, "epochs after which training stops")
WORKERS = flags.DEFINE_integer("workers", 1, "runs that go on side by side")
LOGS_DIR = flags.DEFINE_string("logs_dir", "prepared/logs", "folder of the generated logs")
DATA_DIR = flags.DEFINE_string("data_dir", "prepared", "folder of the prepared data sets")
RUNS_DIR = flags.DEFINE_string("runs_dir", "runs/reproduce", "folder of the runs")
RESULTS_DIR = flags.DEFINE_string("results_dir", "experiments/results", "where to write")


def main(_):
    name = DATASET.value
    log, truth = find_log(name)
    folder = folder_of(name, log)
    data_dir = f"{DATA_DIR.value}/{folder}"
    data = prepared_dataset(name, data_dir, str(log))
    print(table_1(name, data), flush=True)
    runs = [
        {
            "dataset": name,
            "preset": PRESET,
            "seed": seed,
            **({"max_epochs": MAX_EPOCHS.value} if MAX_EPOCHS.value else {}),
            "data_dir": data_dir,
            "output_dir": f"{RUNS_DIR.value}/{folder}-epochs{MAX_EPOCHS.value or ''}-{seed}",
        }
        for seed in SEEDS.value
    ]
    reports, attentions = [], []
    for run, report in train_runs(runs, WORKERS.value):
        reports.append(report)
        path = max(pathlib.Path(run["output_dir"]).glob("attention/*/all.npz"))
        attentions.append(Attention.load(path))
    summary = summarise(name, log, truth, data, reports, attentions)
    results = pathlib.Path(RESULTS_DIR.value) / (
        name if truth is None else f"{name}_generated_{truth['rows']}"
    )
    write_json(results / "summary.json", summary)
    draw(name, truth, attentions[0], results / "attention.png")
    with atomic_write(results / "README.md") as file:
        file.write(page(name, data, summary).encode())
    print(page(name, data, summary))


def find_log(name):
    """Returns the path of the log, and the truth about its clicks if it is a generated one."""
    if LOG.value:
        if not pathlib.Path(LOG.value).exists():
            raise FileNotFoundError(f"{LOG.value} is missing: {how_to_get(name)}")
        return pathlib.Path(LOG.value), None
    if not ROWS.value:
        raise FileNotFoundError(f"no log is given: {how_to_get(name)}")
    return generated_log(LOGS_DIR.value, name, ROWS.value)


def how_to_get(name):
    """Returns what to do without the log."""
    file = file_name(name)
    return (
        f"get {file} from {BUILDERS[name].SOURCE}, whose terms have to be accepted there, and "
        f"run `make reproduce-{name} {name.upper()}=<path of {file}>`; or try it on a "
        f"generated log with `make reproduce-{name} ROWS=200000`"
    )


def summarise(name, log, truth, data, reports, attentions):
    """Returns what is written to `summary.json`."""
    combined = np.mean([a.order_weights @ a.field_weights for a in attentions], axis=0)  # (m,)
    highest = np.mean([a.field_weights.max(axis=0) for a in attentions], axis=0)  # (m,)
    summary = {
        "data": {"set": data.name, "log": log.name, "statistics": data.statistics},
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "config": reports[0]["config"],
        "seeds": [report["config"]["training"]["seed"] for report in reports],
        "parameters": reports[0]["parameters"],
        "epochs": [report["training"]["epochs"] for report in reports],
        "rows_per_second": mean_and_std([r["training"]["rows_per_second"] for r in reports]),
        "attention": {
            field: float(weight)
            for field, weight in zip(data.schema.field_names, combined, strict=True)
        },
        "order_weights": np.mean([a.order_weights for a in attentions], axis=0).tolist(),
    }
    for split in ("validation", "test"):
        summary[split] = {
            metric: mean_and_std([report[split][metric] for report in reports])
            for metric in ("auc", "logloss")
        }
    if truth is None:
        summary["paper"] = {metric: PAPER[name][metric] for metric in ("auc", "logloss")}
    else:
        summary["truth"] = {
            **{key: truth[key] for key in ("rows", "seed", "click_rate", "best")},
            "planted": [
                {
                    "fields": term["fields"],
                    "auc": term["auc"],
                    "places": places(combined, data.schema.field_names, term["fields"]),
                    "places_in_any_order": places(highest, data.schema.field_names, term["fields"]),
                }
                for term in truth["terms"]
            ],
        }
    return summary


def places(weights, field_names, chosen):
    """Returns the places of the chosen fields by weight; 1 is that of the highest."""
    order = [field_names[position] for position in np.argsort(-weights)]
    return [order.index(field) + 1 for field in chosen]


def draw(name, truth, attention, path):
    """Writes the heat map of the mean attention; planted fields are marked."""
    planted = [field for term in truth["terms"] for field in term["fields"]] if truth else []
    title = f"{name}: mean over {attention.records:,} records of validation"
    save_heatmap(attention_heatmap(attention, title=title, highlight=planted), path)


def table_1(name, data):
    """Returns Table 1 of the paper beside the data set's statistics, as Markdown."""
    found, paper = data.statistics, PAPER[name]
    splits = found["splits"].values()
    fields = f"{found['categorical_fields']} + {found['numerical_fields']}"
    rows = [
        ["fields (categorical + numerical)", paper["fields"], fields],
        ["records", paper["records"], f"{found['records']:,}"],
        ["distinct features", paper["features"], f"{found['distinct_features']:,}"],
        ["train / validation / test", "8:1:1", " / ".join(f"{s['rows']:,}" for s in splits)],
        ["click rate", "–", f"{sum(s['positives'] for s in splits) / found['records']:.4f}"],
    ]
    return markdown_table(["", "paper", "here"], rows)


def page(name, data, summary):
    """Returns the page of results, as Markdown."""

    def cell(split, metric):
        value = summary[split][metric]
        spread = f" ± {value['std']:.4f}" if len(summary["seeds"]) > 1 else ""
        return f"{value['mean']:.4f}{spread}"

    truth = summary.get("truth")
    if truth is None:
        title, reference, known = name.capitalize(), "paper's InterHAt", summary["paper"]
        command = f"make reproduce-{name} {name.upper()}={summary['data']['log']}"
        note = "REPRODUCTION.md says where the protocol differs from the paper's, and why."
    else:
        title, reference, known = f"{name.capitalize()}, generated", "best possible", truth["best"]
        command = f"make reproduce-{name} ROWS={truth['rows']}"
        note = (
            f"The log is made up (`experiments/generate_click_log.py`): {truth['rows']:,} rows in "
            f"{name.capitalize()}'s format,\nof which the protocol takes the first 30%. It says "
            f"nothing about {name.capitalize()} itself.\n"
        )
    if MAX_EPOCHS.value:
        command += f" EPOCHS={MAX_EPOCHS.value}"
    metrics = [
        [metric, cell("test", metric), f"{known[metric]:.4f}", cell("validation", metric)]
        for metric in ("auc", "logloss")
    ]
    training, used = summary["config"]["training"], summary["versions"]
    arguments = summary["config"]["arguments"]
    return f"""# {title}

{note}
Written on {summary["date"]} by `{command}`; seeds {", ".join(map(str, summary["seeds"]))};
TensorFlow {used["tensorflow"]}, Keras {used["keras"]}, {used["machine"]}.

## Table 1

{table_1(name, data)}
## Table 3

{markdown_table(["", "test", reference, "validation"], metrics)}
InterHAt, preset `{summary["config"]["preset"]}`, d {arguments["embedding_dim"]}, \
s {arguments["attention_size"]}, {arguments["num_heads"]} heads; \
{summary["parameters"]:,} parameters.
Batches of {training["batch_size"]}, learning rate {training["learning_rate"]}, \
epochs {", ".join(map(str, summary["epochs"]))}, \
{summary["rows_per_second"]["mean"]:,.0f} rows/s. The test split was read once a run.

## Attention

{planted(truth) if truth else ""}![Mean attention](attention.png)

Mean over validation, seed {summary["seeds"][0]}; alpha_f: \
{", ".join(f"{weight:.2f}" for weight in summary["order_weights"])} for orders 1, 2, ….
"""


def planted(truth):
    """Returns the table of the planted fields' places in the attention."""
    rows = [
        [
            len(term["fields"]),
            ", ".join(term["fields"]),
            f"{term['auc']:.4f}",
            ", ".join(map(str, term["places"])),
            ", ".join(map(str, term["places_in_any_order"])),
        ]
        for term in truth["planted"]
    ]
    header = ["order", "planted fields", "AUC of the term alone", "places", "in any order"]
    return markdown_table(header, rows) + (
        "\nPlaces of the planted fields among all by mean weight, 1 being the highest: the orders' "
        "rows\ncombined by alpha_f, and by the highest weight in any order's row.\n\n"
    )


if __name__ == "__main__":
    run_program(main)
