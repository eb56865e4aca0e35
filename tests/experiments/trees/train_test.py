"""The program, on a Frappe of some hundred rows."""

import numpy as np
import pytest

from experiments.trees import train
from interhat_tf.commands import run_command
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.training import metrics
from interhat_tf.utils.files import read_json
from tests.commands.train_test import write_raw


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_raw(tmp_path_factory.mktemp("frappe") / "raw")


@pytest.fixture
def run(tmp_path, raw):
    """Trains a model; returns its report."""

    def run(model, *more):
        names = {"data_dir": raw.parent / "prepared", "raw_dir": raw, "output_dir": tmp_path}
        given = [f"--{name}={value}" for name, value in names.items()]
        run_command(train, ["--dataset=frappe", f"--model={model}", *given, *more])
        return read_json(tmp_path / "report.json")

    return run


SMALL = {
    "lightgbm": ["--min_data_in_leaf=2", "--num_leaves=4"],
    "ebm": ["--interactions=1", "--learning_rate=0.1"],
}


@pytest.mark.parametrize("model", SMALL)
def test_a_report_has_what_a_study_reads(run, raw, model, capsys):
    report = run(model, "--seed=3", "--max_epochs=20", *SMALL[model])
    assert report["config"]["training"]["seed"] == 3
    assert report["config"]["arguments"]["max_epochs"] == 20
    assert report["config"]["arguments"]["learning_rate"] == 0.1
    data = prepared_dataset("frappe", raw.parent / "prepared")
    assert report["config"]["data"] == data.digests
    assert report["versions"][train.LIBRARIES[model]]
    assert report["parameters"] > 0
    assert report["best_epoch"] <= report["training"]["epochs"]
    assert report["training"]["seconds"] > 0
    for split in ("validation", "test"):
        assert 0 <= report[split]["auc"] <= 1 and report[split]["logloss"] > 0
    assert report["validation"] != report["test"]
    assert capsys.readouterr().out.count("auc") == 2


@pytest.mark.parametrize("model", SMALL)
def test_auc_within_a_users_records_is_that_of_the_logits(run, raw, model, monkeypatch):
    found, evaluate = [], train.evaluate

    def noting(model, records, grouping):
        found.append((records, model.logits(records[0])))
        return evaluate(model, records, grouping)

    monkeypatch.setattr(train, "evaluate", noting)
    report = run(model, "--auc_by=user", "--max_epochs=20", *SMALL[model])
    for split, ((fields, labels), logits) in zip(("validation", "test"), found, strict=True):
        known = fields[:, 0] != 0
        expected = metrics.grouped_auc(labels[known], logits[known], fields[known, 0])
        assert report[split]["auc_by_user"] == pytest.approx(expected)
        assert report[split]["auc_by_user"] != report[split]["auc"]


def test_a_field_that_is_not_there_is_named_before_training(run, monkeypatch, capsys):
    monkeypatch.setattr(train, "train", lambda *_: pytest.fail("trained"))
    with pytest.raises(SystemExit):
        run("lightgbm", "--auc_by=age", "--max_epochs=2")
    assert "auc_by: 'age' is no categorical field; those are user, " in capsys.readouterr().err


def test_a_trial_does_not_read_the_test_split(run, monkeypatch):
    read, splits = train.read_records, []
    monkeypatch.setattr(train, "read_records", lambda d, s: splits.append(s) or read(d, s))
    assert "test" not in run("lightgbm", "--notest", "--max_epochs=2")
    assert splits == ["train", "validation"]


def test_an_argument_of_another_model_is_refused(run, capsys):
    with pytest.raises(SystemExit):
        run("lightgbm", "--interactions=3")
    assert capsys.readouterr().err == "error: lightgbm has no argument interactions\n"


def test_each_split_is_evaluated_on_its_own_records(monkeypatch):
    rows = {"train": 3, "validation": 4, "test": 5}
    fitted = []

    class Trees:
        best_epoch, epochs = 2, 6

        def fit(self, training, validation, seed):
            fitted.append((len(training[1]), len(validation[1]), seed))

        def count_params(self):
            return 9

        def logits(self, fields):
            return fields[:, 0]

    class Data:
        def num_rows(self, split):
            return rows[split]

    def read_records(data, split):  # whose first record alone was clicked on
        fields = np.zeros((rows[split], 1))
        return fields, np.eye(rows[split])[0]

    monkeypatch.setattr(train, "read_records", read_records)
    monkeypatch.setattr(train, "scores_of", lambda labels, logits, groups: {"auc": len(labels)})
    found = train.train(Trees(), Data(), seed=7, test=True)
    assert (found["validation"]["auc"], found["test"]["auc"]) == (4, 5)
    assert fitted == [(3, 4, 7)]
    assert (found["best_epoch"], found["training"]["epochs"], found["parameters"]) == (2, 6, 9)
    training = found["training"]
    assert training["rows_per_second"] == pytest.approx(6 * 3 / training["seconds"])
