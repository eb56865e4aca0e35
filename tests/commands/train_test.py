"""Tests of `interhat train`, on a small Frappe in the format of the NFM files."""

import dataclasses
import inspect
import os
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import interhat
from data.frappe.frappe_dataset_builder_test import NFM_FILES, nfm_lines, write_index_map
from interhat_tf.commands import train
from interhat_tf.explanation.attention_maps import Attention
from interhat_tf.models import MODELS
from interhat_tf.schema import Field, Schema
from interhat_tf.training.settings import TrainingSettings
from interhat_tf.utils.files import read_json
from tests.input_pipeline.growing_logs import prepare_days
from tests.training.summaries_test import values_of

SMALL = ("--embedding_dim=4", "--num_heads=2", "--order=2", "--batch_size=64", "--max_epochs=2")
BARELY = ("--model=fm", "--embedding_dim=4", "--max_epochs=1", "--notest")


def write_raw(folder):
    folder.mkdir()
    for seed, (name, rows) in enumerate(zip(NFM_FILES, [300, 40, 50], strict=True)):
        (folder / name).write_text("\n".join(nfm_lines(rows, seed)) + "\n")
    write_index_map(folder)
    return folder


@pytest.fixture
def raw_dir(tmp_path):
    return write_raw(tmp_path / "raw")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The flags that name a prepared Frappe."""
    folder = tmp_path_factory.mktemp("frappe")
    raw_dir = write_raw(folder / "raw")
    return f"--data_dir={folder / 'prepared'}", f"--raw_dir={raw_dir}"


@pytest.fixture
def run(tmp_path, capsys):
    """Runs the command in this process; returns what it says if it fails."""

    def run_train(*arguments, dataset="frappe"):
        arguments = (f"--dataset={dataset}", f"--output_dir={tmp_path / 'run'}", *arguments)
        try:
            interhat.main(["train", *arguments])
        except SystemExit:
            return capsys.readouterr().err.splitlines()[-1]

    return run_train


@pytest.mark.slow
def test_trains_and_reports(run, prepared, tmp_path, capsys):
    assert run(*prepared, *SMALL, "--heatmap_where=cost=cost 1,user=user 2") is None
    output = capsys.readouterr().out.splitlines()
    report = read_json(tmp_path / "run/report.json")
    for line, split in zip(output[-2:], ("validation", "test"), strict=True):
        assert line.startswith(f"{split}: auc {report[split]['auc']:.5f}, logloss")
    assert report["config"]["dataset"] == "frappe"
    assert report["config"]["preset"] == "released"
    assert report["config"]["arguments"]["embedding_dim"] == 4  # a flag
    assert report["config"]["arguments"]["attention_size"] == 16  # Table 2
    assert report["config"]["arguments"]["residual"] is True  # the preset
    assert report["config"]["training"]["beta_2"] == 0.98
    names = sorted(os.listdir(tmp_path / "run/attention/epoch_001"))
    assert [name for name in names if name.endswith(".npz")] == [
        *("all.npz", "cost=cost_1_user=user_2.npz")
    ]
    everything = Attention.load(tmp_path / "run/attention/epoch_001/all.npz")
    assert everything.records == 40
    tags = {value.tag for _, value in values_of(tmp_path / "run")}
    assert {"validation_reliability", "attention/all", "best/test_auc"} <= tags
    picture = tmp_path / "run/validation_reliability.png"
    picture.unlink()
    assert run(*prepared, *SMALL, "--heatmap_where=cost=cost 1,user=user 2", "--resume") is None
    assert capsys.readouterr().out.splitlines()[-2:] == output[-2:]
    assert not picture.exists()  # a finished run is left as it is


@pytest.mark.slow
def test_flags_win_over_the_preset(run, prepared, tmp_path):
    changes = ["--preset=paper", "--residual", "--attention_activation=tanh", "--learning_rate=.1"]
    changes += ["--mlp_units=5", "--mlp_units=3", "--embedding_l2=0", "--seed=7", "--notest"]
    changes += ["--dtype=float64", "--heatmap_epochs=0"]
    changes += ["--heatmap_splits=train", "--heatmap_splits=test"]
    assert run(*prepared, *SMALL, *changes, "--model=interhat_s") is None
    report = read_json(tmp_path / "run/report.json")
    arguments, training = report["config"]["arguments"], report["config"]["training"]
    assert arguments["residual"] is True
    assert arguments["aggregation_bias"] is False  # the preset's
    assert arguments["attention_activation"] == "tanh"
    assert arguments["mlp_units"] == [5, 3]
    assert (arguments["embedding_l2"], arguments["dense_l2"]) == (0, 2e-3 / 300)  # of 300 rows
    assert (training["learning_rate"], training["seed"]) == (0.1, 7)
    assert report["config"]["model"] == "interhat_s"
    assert "test" not in report
    assert report["config"]["dtype"] == "float64"
    saved = keras.saving.load_model(tmp_path / "run/model.keras")
    assert saved.compute_dtype == "float64"
    known = saved.training_settings  # what `align_attention` trains on with
    assert known["learning_rate"] == 0.1 and "batch_size" in known
    assert known == {name: training[name] for name in known}
    assert os.listdir(tmp_path / "run/attention") == ["epoch_000"]
    assert Attention.load(tmp_path / "run/attention/epoch_000/all.npz").records == 300 + 50


def test_the_seed_draws_the_first_weights(run, prepared, tmp_path):
    def weights(name, *flags):
        folder = f"--output_dir={tmp_path / name}"
        still = ("--learning_rate=1e-30", "--embedding_l2=0")
        assert run(*prepared, *BARELY, *still, folder, *flags) is None
        return keras.saving.load_model(tmp_path / name / "model.keras").get_weights()

    first, again = weights("first", "--seed=1"), weights("again", "--seed=1")
    assert all(map(np.allclose, first, again))
    assert not all(map(np.allclose, first, weights("other", "--seed=2")))


def test_a_note_says_that_steps_move_very_many_embeddings(run, prepared, capsys, monkeypatch):
    monkeypatch.setattr(train, "MANY_VALUES", 10)
    run(*prepared, *BARELY)
    note = r"(?m)^note: each step of Adam moves the embeddings of all [\d,]+ values; --optimizer="
    assert re.search(note, capsys.readouterr().out)
    schema = Schema([Field("user", "categorical", 9), Field("app", "categorical", 1)])
    assert "of all 10 values" in train._note_on_tables(schema, "adam")
    assert train._note_on_tables(schema, "lazy_adam") is None
    monkeypatch.setattr(train, "MANY_VALUES", 11)
    assert train._note_on_tables(schema, "adam") is None


@pytest.mark.parametrize(
    ("best", "losses", "noted"),
    [
        (1, [0.6, 0.5, 0.4], True),
        (2, [0.6, 0.5, 0.4], False),
        (1, [0.6, 0.5], False),
        (1, [0.6, 0.7, 0.8], False),  # which learns nothing by heart
    ],
)
def test_a_note_says_that_a_model_learns_its_records_by_heart(best, losses, noted):
    report = {"best_epoch": best, "history": [{"loss": loss} for loss in losses]}
    note = train._note_on_overfitting({**report, "config": {"arguments": {"embedding_l2": 0.032}}})
    assert (note is not None) == noted
    if noted:
        assert "of 3 epochs the first was the best" in note and "(it was 0.032)" in note
        assert "(it was" not in train._note_on_overfitting({**report, "config": {}})


@pytest.mark.parametrize("model", ["fm", "deepfm", "autoint"])
def test_a_baseline_trains_with_defaults_of_its_own(run, prepared, tmp_path, model):
    assert run(*prepared, f"--model={model}", "--embedding_dim=4", "--max_epochs=1") is None
    report = read_json(tmp_path / "run/report.json")
    assert report["config"]["model"] == model
    assert report["config"]["arguments"] == {"embedding_dim": 4}
    assert report["config"]["training"]["batch_size"] == 1024  # Frappe's
    assert 0 < report["test"]["logloss"] < 2
    assert not (tmp_path / "run/attention").exists()


def test_arguments_that_a_baseline_does_not_have(run, prepared, tmp_path):
    message = run(*prepared, "--model=fm", "--order=2", "--num_heads=2")
    assert message == "error: fm has no argument num_heads, order"
    message = run(*prepared, "--model=fm", "--heatmap_where=cost=cost 1")
    assert message == "error: fm has no attention that a heat map could show"
    assert not (tmp_path / "run").exists()


def test_every_hyperparameter_has_a_flag(capsys):
    arguments = {name for model in MODELS.values() for name in inspect.signature(model).parameters}
    arguments |= {field.name for field in dataclasses.fields(TrainingSettings)}
    # The registry's names decide about self-attention and PNN's products, `load_vectors` about
    # what is frozen.
    arguments -= {"schema", "self_attention", "product", "frozen_vectors", "kwargs"}
    assert arguments <= set(train.define_flags())
    interhat.main(["train", "--help"])
    output = capsys.readouterr().out
    for line in (
        "--embedding_dim: Embedding size d",
        "--[no]attention_bias: Whether those projections have biases",
        "--batch_size: Records a step",
        "--[no]resume: go on with the run in output_dir, if any",
        "--raw_dir: folder of a public data set's original files",
    ):
        assert line in output


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--nonsense=1", "Unknown command line flag 'nonsense'"),
        ("--preset=best", "value should be one of <paper|paper_searched|released"),
        ("--batch_size=many", "flag --batch_size=many"),
        ("--dataset=mnist", "there is no data set 'mnist'; known ones: "),
        ("--dataset=frappe/x", "frappe has no configuration 'x'; it has nfm, usage_log"),
        ("False", "unexpected argument 'False'; a flag is given as --name=value"),
        ("--heatmap_where=app=x", "app"),
        ("--heatmap_where=cost=gold", "gold"),
    ],
)
def test_a_wrong_flag_is_one_line(run, prepared, tmp_path, flag, message):
    assert_one_line(run(*prepared, *SMALL, flag), message)
    assert not (tmp_path / "run").exists()


def test_missing_flags_are_named(capsys):
    with pytest.raises(SystemExit):
        interhat.main(["train", "--dataset=frappe"])
    assert_one_line(capsys.readouterr().err.strip(), "--output_dir is missing: the run's folder")


@pytest.mark.parametrize(
    ("flags", "rows"),
    [
        ((), 256),
        (("--dropout=0",), 256),
        (("--dropout=0.1",), None),
        (("--value_dim=8",), None),
        (("--jit_compile",), None),
        (("--microbatch_size=64",), 64),
    ],
)
def test_a_preset_is_trained_in_microbatches_where_that_can_be(flags, rows):
    values = train.define_flags()
    values(["train", "--dataset=criteo", *flags])
    assert train.settings(values)[1].get("microbatch_size") == rows


@pytest.mark.parametrize(
    ("flag", "pooling"),
    [
        ("max", "max"),
        ("history=target", {"history": "target"}),
        ("genres=max,history=target", {"genres": "max", "history": "target"}),
    ],
)
def test_each_field_of_several_values_has_the_pooling_that_a_flag_names(flag, pooling):
    values = train.define_flags()
    values(["train", "--dataset=movielens_ctr/history", "--model=dnn", f"--pooling={flag}"])
    assert train.settings(values)[0]["pooling"] == pooling


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_a_run_in_microbatches_is_the_whole_run(run, prepared, tmp_path):
    assert run(*prepared, *SMALL, "--microbatch_size=0") is None
    command = [sys.executable, "-m", "interhat", "train", "--dataset=frappe", *prepared, *SMALL]
    command += ["--microbatch_size=24", f"--output_dir={tmp_path / 'cut'}"]
    subprocess.run(command, check=True, capture_output=True)
    found = [read_json(tmp_path / name / "report.json") for name in ("run", "cut")]
    assert found[1]["config"]["training"]["microbatch_size"] == 24
    for whole, cut in zip(found[0]["history"], found[1]["history"], strict=True):
        assert cut["loss"] == pytest.approx(whole["loss"], rel=1e-4)
        assert cut["validation_logloss"] == pytest.approx(whole["validation_logloss"], rel=1e-3)


@pytest.mark.slow
def test_a_folder_in_use_is_left_alone(run, prepared, tmp_path):
    assert run(*prepared, *BARELY) is None
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    assert_one_line(run(*prepared, *BARELY), "already holds a run: resume it, or choose another")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def remove(folder):
    (folder / "frappe.validation.libfm").unlink()


def remove_all(folder):
    shutil.rmtree(folder)


def edit(name, change):
    def damage(folder):
        (folder / name).write_text(change((folder / name).read_text()))

    return damage


def replace_line(number, line):
    def change(text):
        lines = text.splitlines()
        return "\n".join([*lines[: number - 1], line, *lines[number:]]) + "\n"

    return change


FULL = " ".join(f"{10 * column}:1" for column in range(10))
DAMAGES = {
    "missing file": (
        remove,
        "frappe.validation.libfm is missing: get it from github.com/hexiangnan/",
        "and store it as frappe.validation.libfm, plain or compressed (.gz, .zst), in the ",
    ),
    "missing folder": (remove_all, "frappe.train.libfm is missing: get it from github.com/"),
    "empty file": (edit("frappe.test.libfm", lambda text: ""), "frappe.test.libfm: "),
    "truncated": (edit("frappe.test.libfm", lambda text: text[:-9]), "frappe.test.libfm:50: "),
    "too few fields": (
        edit("frappe.train.libfm", replace_line(7, "1 0:1 10:1")),
        "frappe.train.libfm:7: expected 11 values, found 3",
    ),
    "too many fields": (
        edit("frappe.train.libfm", replace_line(7, f"1 {FULL} 95:1")),
        "frappe.train.libfm:7: expected 11 values, found 12",
    ),
    "bad label": (
        edit("frappe.validation.libfm", replace_line(3, f"2 {FULL}")),
        "frappe.validation.libfm:3: label is '2'; a label is 0 or 1, or -1 or 1",
    ),
    "not an id": (
        edit("frappe.train.libfm", replace_line(9, f"1 x:1 {FULL[4:]}")),
        "frappe.train.libfm:9: user is 'x:1'",
    ),
    "id not in the index map": (
        edit("frappe.train.libfm", replace_line(300, f"1 999:1 {FULL[4:]}")),
        "frappe.train.libfm:300: user is index 999, which is not in index_map.csv",
    ),
    "id of another field": (
        edit("frappe.train.libfm", replace_line(1, f"1 10:1 {FULL[4:]}")),
        "frappe.train.libfm:1: user is index 10, which belongs to item",
    ),
    "wrong index map": (
        edit("index_map.csv", replace_line(1, "id,field,value")),
        "index_map.csv:1: the header must be index, field, value",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_original_is_one_line(run, raw_dir, tmp_path, damage):
    do, *messages = DAMAGES[damage]
    do(raw_dir)
    arguments = (f"--raw_dir={raw_dir}", f"--data_dir={tmp_path / 'prepared'}", *SMALL)
    assert_one_line(run(*arguments), *messages)
    assert not (tmp_path / "run").exists()
    assert not list((tmp_path / "prepared").rglob("*.tfrecord*"))


def assert_one_line(code, *messages):
    assert isinstance(code, str)
    assert code.startswith("error: ")
    assert "\n" not in code
    for message in messages:
        assert message in code


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_the_command_fails_with_one_line(tmp_path):
    command = [sys.executable, "-m", "interhat", "train", "--dataset=frappe"]
    command += [f"--raw_dir={tmp_path}", f"--data_dir={tmp_path}/p", f"--output_dir={tmp_path}/r"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout == ""
    own = [line for line in result.stderr.splitlines() if not is_tensorflows(line)]
    assert own[0] == f"Preparing frappe/nfm/1.0.0 in {tmp_path}/p/frappe/nfm/1.0.0"
    assert_one_line("\n".join(own[1:]), f"{tmp_path}/frappe.train.libfm is missing: get it from")


def is_tensorflows(line):
    """Whether a line is a note of TensorFlow's from when its libraries are loaded."""
    note = r"[IWE]0000 |WARNING: All log messages before absl::InitializeLog\(\)"
    return re.match(note, line) is not None


@pytest.mark.slow
def test_crosses_and_click_counts_are_trained_and_explained_afterwards(run, prepared, tmp_path):
    crosses = ["--crosses=user,item", "--crosses=user,item,daytime", "--cross_min_count=1"]
    counts = ["--click_counts=user,item", "--click_counts=item"]
    assert run(*prepared, *SMALL, "--max_epochs=1", *crosses, *counts) is None
    asked = read_json(tmp_path / "run/config.json")["crosses"]
    fields = [["user", "item"], ["user", "item", "daytime"], ["user", "item"], ["item"]]
    assert [cross["fields"] for cross in asked] == fields
    assert {cross["min_count"] for cross in asked} == {1}
    page, of_run = tmp_path / "page.html", ("--dataset=frappe", f"--run={tmp_path / 'run'}")
    interhat.main(["explain", *prepared, *of_run, f"--output={page}", "--records=3"])
    for name in ("user x item x daytime", "clicks of user x item", "clicks of item"):
        assert name in page.read_text()


def test_crosses_that_cannot_be(run, prepared):
    assert "there is no field 'shop'" in run(*prepared, "--crosses=user,shop")
    assert "two or three different fields" in run(*prepared, "--crosses=user")
    assert "there is no field 'shop'" in run(*prepared, "--click_counts=shop")


def test_goes_on_from_a_run_on_a_set_that_grew(run, tmp_path):
    prepare_days(tmp_path, 2)
    where, first = f"--data_dir={tmp_path}/prepared", f"{tmp_path}/first"
    settings = ["--batch_size=50", "--ema_momentum=0.9", "--max_epochs=1"]
    sizes = ["--embedding_dim=4", "--num_heads=2", "--attention_size=4", "--order=2"]
    arguments = (where, *sizes, *settings, "--heatmap_epochs=9", f"--output_dir={first}")
    assert run(*arguments, dataset="day1") is None
    goes_on = [where, f"--start_from={first}", f"--output_dir={tmp_path}/second"]
    assert "--order does not go with --start_from" in run(*goes_on, "--order=2", dataset="day2")
    assert run(*goes_on, "--learning_rate=0.01", "--seed=3", dataset="day2") is None
    config = read_json(tmp_path / "second" / "config.json")
    assert config["training"]["batch_size"] == 50
    assert (config["training"]["learning_rate"], config["training"]["seed"]) == (0.01, 3)
    assert config["start_from"] == first
    # The model goes on from there with the same settings.
    earlier, later = (
        keras.saving.load_model(tmp_path / name / "model.keras").training_settings
        for name in ("first", "second")
    )
    assert later == {**earlier, "learning_rate": 0.01}


def test_each_numerical_field_has_the_embedding_that_a_flag_names(run, tmp_path):
    prepare_days(tmp_path, 1)
    arguments = [f"--data_dir={tmp_path}/prepared", *SMALL, "--max_epochs=1"]
    assert run(*arguments, "--numerical_embedding=price=piecewise", dataset="day1") is None
    config = read_json(tmp_path / "run" / "config.json")
    assert config["architecture"]["numerical_embedding"] == {"price": "piecewise"}
    for flag, message in (
        ("age=piecewise", "numerical_embedding: there is no numerical field 'age'"),
        ("splines", "piecewise, periodic, autodis; got 'splines'"),
        ("price", "piecewise, periodic, autodis; got 'price'"),
    ):
        said = run(*arguments, f"--numerical_embedding={flag}", dataset="day1")
        assert_one_line(said, message)
