"""Whether a rare or unknown value of a field that decides nothing takes all attention.

    python -m experiments.faithfulness.rare_values

Each log has a user, an app and a system. The first two decide about a click; the system is the
usual one but in some of the records. `tuned` is trained on it with each of `--seeds`, which draws
the log too: as it comes, and with scores that begin with scales of 1. New records, whose clicks are
likely or not for the same reasons, are predicted with the usual system, with the rare one, and
with one that no training record has. Writes `faithfulness/rare_values/SHARE.json` among the
results. Half an hour on one core.
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import pyarrow as pa

from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from interhat_tf import InterHAt, prepare_click_log, train
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training import TrainingSettings, metrics

RECORDS, NEW_RECORDS = 10_000, 2_000
USERS, APPS = 20, 10
RATES = 0.75, 0.2
SHARES = 0.0015, 0.025
SYSTEMS = {"usual": "android", "rare": "ios", "unknown": "windows"}
TAKES_ALL = 0.5
"""The mean weight in an order beyond which a field takes more than all others together."""


class ScalesOfOne(InterHAt):
    """InterHAt whose scores begin as batch normalisation has them."""

    def adapt_scores(self, batches: Iterable[Any]) -> None:
        """Changes nothing."""


FORMS = {"scales of 1": ScalesOfOne, "as it comes": InterHAt}


def main(_):
    rows = []
    for share in SHARES:
        forms = {}
        for form, kind in FORMS.items():
            runs = [run(kind, share, seed) for seed in SEEDS.value]
            forms[form] = {"runs": runs, "systems": {name: figures(runs, name) for name in SYSTEMS}}
            rows += [
                [
                    f"{share:.2%}",
                    form,
                    name,
                    f"{row['taken']} of {len(runs)}",
                    f"{row['worst']:.3f}",
                ]
                for name, row in forms[form]["systems"].items()
            ]
        summary = record(share=share, records=RECORDS, seeds=list(SEEDS.value), forms=forms)
        write_result(f"faithfulness/rare_values/{share}.json", summary)
    print(markdown_table(["share", "scores", "system", "takes an order", "highest logloss"], rows))


def figures(runs: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Returns in how many models a system takes an order, and the highest weight and losses."""
    weights, losses = (np.array([run[name][key] for run in runs]) for key in ("weight", "logloss"))
    return {
        "taken": int((weights > TAKES_ALL).sum()),
        "weight": float(weights.max()),
        "logloss": float(losses.mean()),
        "worst": float(losses.max()),
    }


def run(kind: type[InterHAt], share: float, seed: int) -> dict[str, Any]:
    """Trains a model; returns of each system its highest mean weight in an order, and logloss."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        table = draw(rng, RECORDS, np.where(rng.random(RECORDS) < share, "ios", "android"))
        data = prepare_click_log(table, name="systems", data_dir=folder)
        model = trained(kind, data, pathlib.Path(folder, "run"), seed)
    new = draw(rng, NEW_RECORDS, np.full(NEW_RECORDS, SYSTEMS["usual"]))
    columns = {name: new[name].to_pylist() for name in data.schema.field_names}
    labels = np.array(new["click"])
    found = {}
    for name, system in SYSTEMS.items():
        explained = model.explain(data.encode({**columns, "system": [system] * NEW_RECORDS}))
        weights = np.asarray(explained["field_weights"]).mean(axis=0)  # (k, m)
        found[name] = {
            "weight": float(weights[:, data.schema.field_names.index("system")].max()),
            "logloss": metrics.logloss(labels, np.asarray(explained["logits"])),
        }
    return found


def draw(rng: np.random.Generator, count: int, systems: np.ndarray) -> pa.Table:
    """Returns a log of so many records with these systems."""
    users, apps = rng.integers(0, USERS, count), rng.integers(0, APPS, count)
    clicks = rng.random(count) < np.where((users + apps) % 2, *RATES)
    names = {"user": [f"u{user}" for user in users], "app": [f"a{app}" for app in apps]}
    return pa.table({"click": clicks.astype("int64"), **names, "system": systems})


def trained(
    kind: type[InterHAt], data: PreparedDataset, folder: pathlib.Path, seed: int
) -> InterHAt:
    """Returns a model of `tuned` that the log has trained."""
    keras.utils.set_random_seed(seed)
    model = kind.from_preset("tuned", data.schema, rows=data.num_rows("train"))
    settings = dataclasses.replace(TrainingSettings.of_model(model), seed=seed)
    train(model, data, folder, settings, test=False)
    return model


if __name__ == "__main__":
    run_program(main, seeds=list(range(10)))
