"""Trains boosted trees on a prepared set; its report has the form of `experiments.train`'s.

    python -m experiments.trees.train --dataset=frappe --raw_dir=FOLDER --model=lightgbm \
        --seed=0 --output_dir=runs/frappe-lightgbm-0

The round that is best on validation counts; the test split is read once, at the end. Writes
`report.json` into the run's folder, in which an epoch is a boosting round. It needs what
`pip install 'interhat_tf[trees]'` installs.
"""

import importlib.metadata
import inspect
import pathlib
import sys
import time
from typing import Any

from absl import flags

from experiments.trees.ebm import EBM
from experiments.trees.lightgbm_trees import LightGBM
from experiments.trees.records import Records, read_records
from interhat_tf.commands import run_command
from interhat_tf.commands.cross_flags import crosses, define_cross_flags
from interhat_tf.commands.data_flags import define_data_flags, open_data
from interhat_tf.commands.signature_flags import arguments_of, define_from_signatures, given
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training.evaluation import categorical_column, scores_of
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions
from interhat_tf.utils.threads import number_of_threads

MODELS = {"lightgbm": LightGBM, "ebm": EBM}
LIBRARIES = {"lightgbm": "lightgbm", "ebm": "interpret-core"}
REQUIRED = ("dataset", "output_dir", "model")

Grouping = tuple[str, int]
"""A categorical field and its column."""


def define_flags() -> flags.FlagValues:
    """Returns the program's flags: an argument of a model each, and what all runs have."""
    values = flags.FlagValues()
    define_data_flags(values)
    flags.DEFINE_string("output_dir", None, "the run's folder", values)
    flags.DEFINE_enum("model", None, list(MODELS), "model to train", values)
    flags.DEFINE_integer("seed", 0, "seed of what is drawn", flag_values=values)
    flags.DEFINE_bool("resume", False, "a run that was stopped starts again", values)
    flags.DEFINE_bool("test", True, "evaluate the test split after training", values)
    flags.DEFINE_string("auc_by", None, "a field within whose values AUC is given too", values)
    define_cross_flags(values)
    define_from_signatures(MODELS.values(), values, skip=["schema"])
    return values


def main(values: flags.FlagValues) -> None:
    """Trains the model, writes its report and prints its figures."""
    model_class = MODELS[values.model]
    arguments = given(values, arguments_of(MODELS.values(), skip=["schema"]))
    if unknown := set(arguments) - arguments_of([model_class]):
        raise ValueError(f"{values.model} has no argument {', '.join(sorted(unknown))}")
    data = open_data(values, crosses=crosses(values))
    grouping = categorical_column(data.schema, values.auc_by) if values.auc_by else None
    model = model_class(data.schema, **arguments)
    usual = {p.name: p.default for p in inspect.signature(model_class).parameters.values()}
    del usual["schema"]
    config = {
        "dataset": values.dataset,
        "model": values.model,
        "arguments": {**usual, **arguments},
        "training": {"seed": values.seed, "threads": number_of_threads()},
        "data": data.digests,
    }
    report = {
        "config": config,
        "versions": {**versions(), **library_version(values.model)},
        **train(model, data, values.seed, values.test, grouping),
    }
    write_json(pathlib.Path(values.output_dir) / "report.json", report)
    for split in ("validation", "test"):
        if split in report:
            auc, logloss = report[split]["auc"], report[split]["logloss"]
            print(f"{split}: auc {auc:.5f}, logloss {logloss:.5f}")


def library_version(model: str) -> dict[str, str]:
    """Returns the version of a model's library, by its name."""
    return {LIBRARIES[model]: importlib.metadata.version(LIBRARIES[model])}


def train(
    model: LightGBM | EBM,
    data: PreparedDataset,
    seed: int,
    test: bool,
    grouping: Grouping | None = None,
) -> dict[str, Any]:
    """Trains a model; returns its part of the report."""
    training, validation = (read_records(data, split) for split in ("train", "validation"))
    start = time.monotonic()
    model.fit(training, validation, seed)
    seconds = time.monotonic() - start
    return {
        "parameters": model.count_params(),
        "best_epoch": model.best_epoch,
        "validation": evaluate(model, validation, grouping),
        **({"test": evaluate(model, read_records(data, "test"), grouping)} if test else {}),
        "training": {
            "seconds": seconds,
            "epochs": model.epochs,
            "rows_per_second": model.epochs * data.num_rows("train") / seconds,
        },
    }


def evaluate(
    model: LightGBM | EBM, records: Records, grouping: Grouping | None = None
) -> dict[str, float]:
    """Returns `auc` and `logloss` of a model on records, and the AUC within a field's values."""
    fields, labels = records
    groups = (grouping[0], fields[:, grouping[1]]) if grouping else None
    return scores_of(labels, model.logits(fields), groups=groups)


if __name__ == "__main__":
    run_command(sys.modules[__name__], sys.argv[1:])
