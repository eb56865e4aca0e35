"""What the page says of calibration: predicted beside observed clicks, before and after."""

import dataclasses
import re

import numpy as np

from experiments.common.markdown import spread
from experiments.report.blocks import picture
from experiments.report.cells import Summary, table, title_of
from interhat_tf.training.observed_rates import Reliability, plot_reliability

CURVE = [field.name for field in dataclasses.fields(Reliability)]
WAYS = {
    "none": "the model's own",
    "platt": "Platt scaling",
    "isotonic": "isotonic regression",
    "chosen": "chosen on validation",
}


def calibration(summary: Summary) -> Summary:
    """Returns the title, the table and the picture of `experiments.calibration`."""
    kept, rates = summary["kept_negatives"], summary["rates"]
    seeds, epochs = len(summary["seeds"]), summary.get("epochs")
    limit = f", at most {epochs} epochs" if epochs else ""
    ways = WAYS if kept is None else WAYS | {"chosen": "chosen on the first half"}
    columns = {
        "probabilities": lambda row: ways[row["way"]],
        "test logloss": lambda row: spread(row["logloss"], 4),
        "expected calibration error": lambda row: spread(row["expected_calibration_error"], 4),
        "predicted / observed clicks": lambda row: spread(row["ratio"], 3),
    }
    curves = {
        name: Reliability(*(np.array(curve[of]) for of in CURVE))
        for name, curve in summary["curves"].items()
    }
    name = summary["data"]["set"].split("/")[0]
    thinned = "" if kept is None else f", {kept:.0%} of the negatives trained on"
    return {
        "title": f"{title_of(name.split('_negatives')[0])}{thinned}",
        "runs": ("1 seed" if seeds == 1 else f"{seeds} seeds") + limit,
        "flags": flags_of(summary),
        "trained": f"{rates['train']:.1%}",
        "tested": f"{rates['test']:.1%}",
        "figures": table(columns, summary["rows"]),
        "chosen_ways": ", ".join(ways[way] for way in summary["chosen"]),
        "curve": picture(
            plot_reliability(curves),
            f"calibration_{name}",
            f"{name}: observed share of clicks against predicted probability",
        ),
    }


def flags_of(summary: Summary) -> str:
    """Returns the flags that a summary was written with, but for its data set."""
    rows = re.match(r"a generated log of ([\d,]+) rows", summary["data"]["note"])
    given = {
        "generate": rows and rows[1].replace(",", ""),
        "kept_negatives": summary["kept_negatives"],
        "epochs": summary.get("epochs"),
    }
    return "".join(f" --{flag}={value}" for flag, value in given.items() if value is not None)
