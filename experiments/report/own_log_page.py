"""What the page says of a user's own log: new users, sampled negatives, scales, what is read.

Each function takes a program's summary and returns what stands in the page's marks for it.
"""

from experiments.common.markdown import interval, spread
from experiments.common.results import read_results
from experiments.report.calibration_page import WAYS
from experiments.report.cells import Cell, Summary, named, table

FORMS = {
    "never": "nothing",
    "share 0.05": "5% of the values, the default",
    "rarer than 4": "values of fewer than 4 rows",
}
"""What is unknown in the trainings of `experiments.robustness.new_users`."""

METHODS = {
    "offset": "`negative_sampling_rate`, the default",
    "weights": "weights of 1 / share",
    "none": "none",
    "all": "nothing left out",
}
"""The corrections of `experiments.robustness.sampled_negatives`."""

MODELS = {"tuned": "`tuned`", "dnn": "DNN"}
LOGS = {
    "generated": {"log": "a generated log with heavy tails", "flag": ""},
    "counts": {"log": "Criteo's counts", "flag": " --counts=train.txt"},
}
"""The models and the logs of `experiments.tuning.number_scales`."""

NUMBER_MODELS = {**MODELS, "paper": "`paper`"}
"""The models of `experiments.tuning.numerical_embeddings`."""


def preparation(summary: Summary) -> Summary:
    """Returns the table of `experiments.speed.own_log`: a line for a way to split."""
    columns: dict[str, Cell] = {
        "split": "`{split}`",
        "rows": "{rows:,}",
        "columns": "{fields}",
        "file, GB": "{log_gigabytes:.2f}",
        "seconds": "{seconds:.1f}",
        "rows/s": "{rows_per_second:,.0f}",
        "rows per processor second": "{rows_per_processor_second:,.0f}",
        "peak memory, GB": "{peak_gigabytes:.2f}",
    }
    return {"lines": table(columns, summary["prepared"])}


def server(summary: Summary) -> Summary:
    """Returns the table of `experiments.speed.server`: a line for a number of records."""
    columns: dict[str, Cell] = {
        "records": "{records}",
        "calls": lambda row: f"{summary['calls'][str(row['records'])]:,}",
        "p50, ms": lambda row: f"{row['p50'] * 1e3:.2f}",
        "p99, ms": lambda row: f"{row['p99'] * 1e3:.2f}",
    }
    return {
        "lines": table(columns, summary["rows"]),
        "wrong": f"{sum(summary['refused'].values()):,}",
        "statuses": ", ".join(summary["refused"]),
    }


def scoring(summary: Summary) -> Summary:
    """Returns the tables of `experiments.speed.scoring`: ways to score, shares of prediction."""
    columns: dict[str, Cell] = {
        "reasons": "{way}",
        "rows": "{rows:,}",
        "rows/s": "{rows_per_second:,.0f}",
        "peak memory, GB": "{peak_gigabytes:.2f}",
        "of it before": "{gigabytes_before:.2f}",
    }
    shares: dict[str, Cell] = {"form": "`{preset}`"} | {
        name.removeprefix("."): lambda row, name=name: spread(row[name], 2)
        for name, value in summary["shares"][0].items()
        if isinstance(value, dict)
    }
    return {
        "ways": table(columns, summary["scored"]),
        "shares": table(shares, summary["shares"]),
        "rounds": summary["rounds"],
        "threads": summary["threads"],
    }


def exports(summary: Summary) -> Summary:
    """Returns the table of `experiments.robustness.exports`: a line a file and a calibration."""
    outputs = {
        "probability": "probability",
        "share of unknown values": "unknown_share",
        "orders' weights": "order_weights",
        "fields' weights": "field_weights",
        "effects": "effects",
    }
    columns: dict[str, Cell] = {
        "file": "{file}",
        "calibration": lambda row: WAYS[row["calibration"]],
    } | {
        title: lambda row, name=name: f"{row[name]:.0e}" if row[name] else "0"
        for title, name in outputs.items()
    }
    return {"lines": table(columns, summary["rows"])}


def new_users(summary: Summary) -> Summary:
    """Returns the table of `experiments.robustness.new_users`: a line for what is unknown."""
    columns: dict[str, Cell] = {
        "unknown in training": lambda row: FORMS[row["name"]],
        "mean of new users less their rate": lambda row: spread(row["difference"]),
        "of known users": lambda row: spread(row["difference_of_known"]),
        "AUC of new": lambda row: spread(row["auc_of_new"]),
        "logloss of new": lambda row: spread(row["logloss_of_new"]),
        "AUC of known": lambda row: spread(row["auc"]),
        "logloss of known": lambda row: spread(row["logloss"]),
    }
    return {"lines": table(columns, named(summary["forms"]))}


def sampled_negatives(summary: Summary) -> Summary:
    """Returns the table of `experiments.robustness.sampled_negatives`: a line a correction."""
    columns: dict[str, Cell] = {
        "correction": lambda row: METHODS[row["name"]],
        "AUC": lambda row: spread(row["auc"]),
        "logloss": lambda row: spread(row["logloss"]),
        "mean prediction / rate": lambda row: spread(row["ratio"], 3),
        "logloss less the default's": lambda row: interval(row.get("logloss_less_offset")),
    }
    return {
        "lines": table(columns, named(summary["methods"])),
        "share": f"{summary['rate']:.0%}",
    }


def read_number_scales() -> list[Summary]:
    """Returns the summaries of `experiments.tuning.number_scales`, with their `log` and `flag`."""
    summaries = read_results("number_scales/*/summary.json")
    return [{**LOGS[name], **summary} for name, summary in summaries.items()]


def number_scales(summary: Summary) -> Summary:
    """Returns the table of `experiments.tuning.number_scales`: a line a model and a scale."""
    rows = [
        {"model": MODELS[model], "scale": scale, **scores}
        for model, scales in summary["models"].items()
        for scale, scores in scales.items()
    ]
    columns: dict[str, Cell] = {
        "model": "{model}",
        "scale": "{scale}",
        "AUC": lambda row: spread(row["auc"]),
        "AUC less min-max's": lambda row: interval(row["auc"].get("difference")),
        "logloss": lambda row: spread(row["logloss"]),
    }
    return {"lines": table(columns, rows)}


def read_numerical_embeddings() -> list[Summary]:
    """Returns what `experiments.tuning.numerical_embeddings` found on each log, of all models."""
    found: dict[str, Summary] = {}
    for path, summary in read_results("numerical_embeddings/*/*.json").items():
        name, model = path.split("/")
        file, above = summary.get("table"), summary.get("above")
        log, flag = {
            "generated": ("generated logs in Criteo's format, their 13 counts", ""),
            "criteo": ("the first rows of Criteo's log, all 39 fields", " --criteo=train.txt"),
            "table": (
                f"`{file}`, whether `{above}` is above its median",
                f" --table={file} --above={above}",
            ),
            "movielens": (
                "MovieLens-1M, whether a movie has four stars or five; its year and the user's age "
                "are numbers",
                f" --movielens_dir=<folder> --embedded_rows={summary['rows']}",
            ),
        }[name]
        best = summary.get("best")
        possible = f" The best possible AUC is {best['auc']:.4f}." if best else ""
        of_log = found.setdefault(name, {**summary, "models": {}, "files": []})
        of_log["files"].append(summary)
        of_log |= {"log": log, "flag": flag, "possible": possible}
        of_log["models"][model] = summary["numbers"]
    return list(found.values())


def numerical_embeddings(summary: Summary) -> Summary:
    """Returns the table of `experiments.tuning.numerical_embeddings`: a line a model and choice."""
    rows = [
        {"model": title, "embedding": embedding, **scores}
        for model, title in NUMBER_MODELS.items()
        for embedding, scores in summary["models"].get(model, {}).items()
    ]
    columns: dict[str, Cell] = {
        "model": "{model}",
        "numbers": "`{embedding}`",
        "AUC": lambda row: spread(row["auc"]),
        "AUC less the product's": lambda row: interval(row["auc"].get("difference")),
        "logloss": lambda row: spread(row["logloss"]),
        "logloss less the product's": lambda row: interval(row["logloss"].get("difference")),
    }
    return {"lines": table(columns, rows)}


def own_logs(summary: Summary) -> Summary:
    """Returns the table of `experiments.robustness.own_logs`: a line a log."""
    columns: dict[str, Cell] = {
        "log": "`{log}`",
        "rows": "{rows:,}",
        "fields": "{fields}",
        "values compared": "{values:,}",
        "different": "{different:,}",
        "rows missing": "{rows_missing:,}",
        "unknown, not in training": "{unknown:,}",
    }
    return {"lines": table(columns, summary["logs"])}
