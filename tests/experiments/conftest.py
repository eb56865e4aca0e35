import hashlib
import json
import pathlib

import pytest
from absl import flags
from absl.testing import flagsaver

from experiments.common import running, studies, table_3_files
from interhat_tf import commands
from interhat_tf.explanation import effect_fidelity, effect_fitting
from interhat_tf.schema import Field, Schema
from interhat_tf.utils.files import read_json


@pytest.fixture
def study_flags(tmp_path, monkeypatch):
    """Sets the studies' flags to folders of the test's own, as long as it runs.

    Effect heads take fewer steps than by default, and are compared on fewer records. What
    Table 3 chose is not read in the published results, which grow.
    """
    monkeypatch.setattr(table_3_files, "PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setattr(effect_fitting, "least_steps", lambda schema: 1)
    monkeypatch.setattr(effect_fidelity, "RECORDS", 16)
    monkeypatch.setattr(effect_fidelity, "BACKGROUND", 16)
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(
        dataset="frappe/nfm",
        data_dir=str(tmp_path / "prepared"),
        runs_dir=str(tmp_path / "runs"),
        results_dir=str(tmp_path / "results"),
        seeds=[1, 2, 3],
    ):
        yield tmp_path


@pytest.fixture
def runs_in_process(monkeypatch):
    """Trains runs in this process, one after the other: a separate process takes seconds."""

    def train(run, environment, errors):
        report = pathlib.Path(run["output_dir"]) / "report.json"
        if not report.exists():
            commands.run("train", running.flag_arguments(run))
        return read_json(report)

    monkeypatch.setattr(running, "_train", train)
    with flagsaver.flagsaver(workers=1):
        yield


@pytest.fixture
def fake_runs(monkeypatch):
    """Stands in for `train_runs`: reports whose figures follow from the flags of the run."""

    def train_runs(runs, workers, keep_failures=False):
        for run in runs:
            train_runs.asked.append(run)
            yield run, report_of(run)

    train_runs.asked = []
    monkeypatch.setattr(studies, "train_runs", train_runs)
    return train_runs


def report_of(run):
    """Returns a report such as a run with these flags would have."""
    text = json.dumps(run, sort_keys=True)
    value = int(hashlib.sha256(text.encode()).hexdigest()[:6], 16) / 16**6
    figures = {"auc": 0.9 + value / 100, "logloss": 0.3 - value / 100}
    test = {"test": {"auc": 0.8 + value / 50, "logloss": 0.4}} if run.get("test", True) else {}
    return {
        "config": {"arguments": {"embedding_dim": 10}, "training": {"seed": run["seed"]}},
        "versions": {"commit": "abc"},
        "parameters": 1000,
        "best_epoch": 3,
        "validation": figures,
        **test,
        "training": {"seconds": 10.0, "epochs": 5},
    }


@pytest.fixture
def fake_data(monkeypatch):
    """Stands in for the prepared set that a study opens."""

    class Data:
        name = "frappe/nfm/1.0.0"
        schema = Schema([Field("user", "categorical", 5), Field("app", "categorical", 3)])
        statistics = {  # noqa: RUF012
            "categorical_fields": 10,
            "numerical_fields": 0,
            "records": 288_609,
            "distinct_features": 5_382,
            "splits": {
                "train": {"rows": 288_600, "positives": 9},
                "test": {"rows": 9, "positives": 1},
            },
        }

        def num_rows(self, split):
            return 8

    monkeypatch.setattr(studies, "prepared_dataset", lambda *_: Data())
    return Data()
