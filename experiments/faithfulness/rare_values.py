"""Whether a rare or unknown value of a field that decides nothing takes all attention.

    python -m experiments.faithfulness.rare_values

Each log has a user, an app and a system. The first two decide about a click; the system, a name
or a number, is the usual one but in some of the records. `tuned` is trained on it with each of
`--seeds`, which draws the log too: as it comes, and with scores that begin with scales of 1. A DNN
stands beside them. New records, whose clicks are likely or not for the same reasons, are predicted
with the usual system, with the rare one, and with a name that no training record has. Writes
`faithfulness/rare_values/LOG.json` among the results. Twenty minutes on one core.
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import pyarrow as pa

from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from interhat_tf import InterHAt, prepare_click_log, train
from interhat_tf.explanation.batches import predict
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.models import DNN
from interhat_tf.training import TrainingSettings, metrics

RECORDS, NEW_RECORDS = 10_000, 2_000
USERS, APPS = 20, 10
RATES = 0.75, 0.2
TAKES_ALL = 0.5
"""The mean weight in an order beyond which a field takes more than all others together."""


@dataclasses.dataclass(frozen=True)
class Log:
    """A log in which some of the records have another system.

    Args:
        share: Their share.
        systems: The usual system, the rare one and, of names, one that no record has.
    """

    share: float
    systems: Mapping[str, Any]


NAMES = {"usual": "android", "rare": "ios", "unknown": "windows"}
LOGS = {
    "names": Log(0.0015, NAMES),
    "frequent_names": Log(0.025, NAMES),
    "numbers": Log(0.0015, {"usual": 0.0, "rare": 1.0}),
}


class ScalesOfOne(InterHAt):
    """InterHAt whose scores begin as batch normalisation has them."""

    def adapt_scores(self, batches: Iterable[Any]) -> None:
        """Changes nothing."""


FORMS: dict[str, type[keras.Model]] = {
    "scales of 1": ScalesOfOne,
    "as it comes": InterHAt,
    "DNN": DNN,
}


def main(_):
    rows = []
    for name, log in LOGS.items():
        forms = {}
        for form, kind in FORMS.items():
            runs = [run(kind, log, seed) for seed in SEEDS.value]
            forms[form] = {"runs": runs, "systems": {of: figures(runs, of) for of in log.systems}}
            rows += [
                [name, form, system, row.get("taken", "–"), f"{row['worst']:.3f}"]
                for system, row in forms[form]["systems"].items()
            ]
        about = record(log=name, share=log.share, records=RECORDS, seeds=list(SEEDS.value))
        write_result(f"faithfulness/rare_values/{name}.json", {**about, "forms": forms})
    print(markdown_table(["log", "model", "system", "takes an order", "highest logloss"], rows))


def figures(runs: list[dict[str, Any]], system: str) -> dict[str, Any]:
    """Returns in how many models a system takes an order, the highest weight, and losses."""
    losses = [run[system]["logloss"] for run in runs]
    found = {"logloss": float(np.mean(losses)), "worst": max(losses)}
    weights = [run[system]["weight"] for run in runs if "weight" in run[system]]
    if not weights:
        return found
    taken = sum(weight > TAKES_ALL for weight in weights)
    return {**found, "taken": taken, "weight": max(weights)}


def run(kind: type[keras.Model], log: Log, seed: int) -> dict[str, Any]:
    """Trains a model; returns of each system its highest mean weight in an order, and logloss."""
    rng = np.random.default_rng(seed)
    usual, rare = log.systems["usual"], log.systems["rare"]
    with tempfile.TemporaryDirectory() as folder:
        table = draw(rng, RECORDS, np.where(rng.random(RECORDS) < log.share, rare, usual))
        data = prepare_click_log(table, name="systems", data_dir=folder)
        model = trained(kind, data, pathlib.Path(folder, "run"), seed)
    new = draw(rng, NEW_RECORDS, np.full(NEW_RECORDS, usual))
    columns = {name: new[name].to_pylist() for name in data.schema.field_names}
    labels = np.array(new["click"])
    found = {}
    for name, system in log.systems.items():
        inputs = data.encode({**columns, "system": [system] * NEW_RECORDS})
        found[name] = {"logloss": metrics.logloss(labels, predict(model, inputs))}
        if isinstance(model, InterHAt):
            weights = np.asarray(model.explain(inputs)["field_weights"]).mean(axis=0)  # (k, m)
            of_system = weights[:, data.schema.field_names.index("system")]  # (k,)
            found[name]["weight"] = float(of_system.max())
    return found


def draw(rng: np.random.Generator, count: int, systems: np.ndarray) -> pa.Table:
    """Returns a log of so many records with these systems."""
    users, apps = rng.integers(0, USERS, count), rng.integers(0, APPS, count)
    clicks = rng.random(count) < np.where((users + apps) % 2, *RATES)
    names = {"user": [f"u{user}" for user in users], "app": [f"a{app}" for app in apps]}
    return pa.table({"click": clicks.astype("int64"), **names, "system": systems})


def trained(
    kind: type[keras.Model], data: PreparedDataset, folder: pathlib.Path, seed: int
) -> keras.Model:
    """Returns a model that the log has trained, InterHAt as `tuned`."""
    keras.utils.set_random_seed(seed)
    if issubclass(kind, InterHAt):
        model = kind.from_preset("tuned", data.schema, rows=data.num_rows("train"))
    else:
        model = kind(data.schema)
    settings = dataclasses.replace(TrainingSettings.of_model(model), seed=seed)
    train(model, data, folder, settings, test=False)
    return model


if __name__ == "__main__":
    run_program(main, seeds=list(range(6)))
