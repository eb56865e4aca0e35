import json
import re

import keras
import numpy as np
import pytest

import interhat
from interhat_tf import InterHAt, explain_records
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.models import FM
from interhat_tf.utils.files import read_json
from tests.commands.train_test import write_raw


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A prepared Frappe and an untrained model of its fields."""
    folder = tmp_path_factory.mktemp("report")
    data = prepared_dataset("frappe", f"{folder}/prepared", write_raw(folder / "raw"))
    (folder / "run").mkdir()
    keras.utils.set_random_seed(0)
    InterHAt(data.schema, embedding_dim=4, order=2).save(folder / "run/model.keras")
    (folder / "fm").mkdir()
    FM(data.schema).save(folder / "fm/model.keras")
    return folder


@pytest.fixture
def run(tmp_path, folder):
    """Runs the command with some flags; returns the records of its JSON."""

    def run_explain(model="run", **given):
        flags = {
            "dataset": "frappe/nfm",
            "data_dir": folder / "prepared",
            "run": folder / model,
            "output": tmp_path / "page.html",
            "json": tmp_path / "page.json",
            **given,
        }
        interhat.main(["explain", *(f"--{name}={value}" for name, value in flags.items())])
        assert (tmp_path / "page.html").exists()
        return read_json(tmp_path / "page.json")["records"]

    return run_explain


def test_the_first_records_of_a_split(run, folder):
    records = run(split="validation", records=7)
    assert len(records) == 7
    data = prepared_dataset("frappe", f"{folder}/prepared")
    model = keras.saving.load_model(folder / "run/model.keras")
    inputs = next(iter(data.evaluation_batches("validation", 7)))[0]
    logits = np.asarray(model(inputs))[:, 0]
    np.testing.assert_allclose([record["logit"] for record in records], logits, atol=1e-5)
    assert all(len(record["effects"]) == 10 for record in records)
    assert [list(record["values"].values()) for record in records] == data.decode(inputs).tolist()


def test_records_have_their_labels(run, folder):
    data = prepared_dataset("frappe", f"{folder}/prepared")
    _, labels = next(iter(data.evaluation_batches("validation", 7)))
    records = run(split="validation", records=7)
    assert [record["clicked"] for record in records] == (labels.numpy() == 1).tolist()


def test_the_page_has_an_overview(run, tmp_path):
    run(split="validation", records=2)
    page = (tmp_path / "page.html").read_text()
    (text,) = re.findall(r'<script id="overview-data".*?>(.*?)</script>', page)
    overview = json.loads(text)
    assert overview["about"].endswith("records of frappe/nfm/1.0.0, validation")
    assert 0 < overview["figures"]["auc"] < 1 and len(overview["pairs"]) == 6


def test_records_with_given_values(run):
    records = run(where="cost=cost 1,user=user 2", split="train", records=1000)
    assert 0 < len(records) < 100
    assert all(record["values"]["cost"] == "cost 1" for record in records)
    assert all(record["values"]["user"] == "user 2" for record in records)


def test_effects_are_against_training_records(run, folder):
    found = [record["effects"] for record in run(split="validation", records=2, compared_with=3)]
    data = prepared_dataset("frappe", f"{folder}/prepared")
    model = keras.saving.load_model(folder / "run/model.keras")
    inputs = next(iter(data.evaluation_batches("validation", 2)))[0]
    background = next(iter(data.evaluation_batches("train", 3)))[0]
    expected = explain_records(model, inputs, background=background).effects
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_page_says_what_it_is_about(run, tmp_path):
    run(where="cost=cost 1", split="validation", records=3)
    page = (tmp_path / "page.html").read_text()
    assert "run/model.keras, 3 records of frappe/nfm/1.0.0, validation with cost=cost 1" in page


def test_without_effects(run):
    assert "effects" not in run(compared_with=0)[0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"where": "cost=gold"}, "of frappe/nfm/1.0.0 have no value 'gold' in field 'cost'"),
        ({"model": "none"}, "none/model.keras is missing: train a model first"),
        ({"model": "fm"}, "is a FM, which does not explain itself"),
    ],
)
def test_what_cannot_be_explained(run, tmp_path, capsys, given, message):
    with pytest.raises(SystemExit):
        run(**given)
    assert re.search(f"^error: .*{message}", capsys.readouterr().err, re.M)
    assert not (tmp_path / "page.html").exists()
