"""Tests of the folder of a run: what it refuses, and what a finished run gives."""

import dataclasses
import errno
import json
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds

from data.synthetic_rules.synthetic_rules_dataset_builder import Builder, RuleConfig
from interhat_tf import InterHAt
from interhat_tf.errors import FullDiskError
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.models import FM, DeepFM
from interhat_tf.training import TrainingSettings, loop
from interhat_tf.training.run_folder import alone_in, check_config, save_model
from interhat_tf.utils.files import write_json
from tests.training.runs import assert_equal_weights, load, make_model, run


def test_a_folder_in_use_is_refused(rule_data, unbroken):
    folder, report = unbroken
    with pytest.raises(FileExistsError) as error:
        run(rule_data, folder)
    assert str(error.value) == (
        f"{folder} already holds a run: resume it, or choose another output folder"
    )
    assert json.loads((folder / "report.json").read_text()) == report


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_another_training_is_at_work_in_is_refused(rule_data, tmp_path, resume):
    def run_another(epoch, logs):
        with pytest.raises(FileExistsError) as error, alone_in(tmp_path):
            pass
        refused.append(str(error.value))
        with pytest.raises(FileExistsError):
            other = FM(rule_data.schema)
            run(rule_data, tmp_path, other, max_epochs=1, test=False, resume=resume)

    refused = []
    (tmp_path / ".lock").write_text("1234567")  # of a process that was killed
    callback = keras.callbacks.LambdaCallback(on_epoch_end=run_another)
    model = FM(rule_data.schema)
    run(rule_data, tmp_path, model, max_epochs=1, test=False, callbacks=[callback])
    assert refused == [
        f"{tmp_path}: process {os.getpid()} is training into it; "
        f"wait for it, or choose another output folder"
    ]
    assert_equal_weights(model, load(tmp_path))
    with alone_in(tmp_path):  # which is free again
        pass


def test_a_run_that_began_since_the_first_look_is_refused(rule_data, tmp_path, monkeypatch):
    def begin_another(*_):
        write_json(tmp_path / "config.json", {"training": {"seed": 7}})

    monkeypatch.setattr(loop, "check_training", begin_another)
    with pytest.raises(FileExistsError, match="already holds a run"):
        run(rule_data, tmp_path)
    assert not (tmp_path / "checkpoint.npz").exists()


def test_a_callback_that_fails_at_the_end_loses_no_model(rule_data, tmp_path):
    callback = keras.callbacks.LambdaCallback(on_train_end=lambda logs: 1 / 0)
    model = FM(rule_data.schema)
    with pytest.raises(ZeroDivisionError):
        run(rule_data, tmp_path, model, max_epochs=1, test=False, callbacks=[callback])
    assert_equal_weights(model, load(tmp_path))


def test_a_finished_run_is_not_trained_again(rule_data, unbroken, monkeypatch):
    folder, report = unbroken
    monkeypatch.setattr(loop, "_Loop", None)
    model = make_model(rule_data.schema, seed=1)
    assert run(rule_data, folder, model, resume=True) == report
    assert_equal_weights(model, load(folder))


@pytest.mark.parametrize("noted", [True, False])
def test_the_report_of_another_model_is_not_returned(rule_data, unbroken, tmp_path, noted):
    folder = tmp_path / "run"
    shutil.copytree(unbroken[0], folder)
    config = json.loads((folder / "config.json").read_text())
    if not noted:  # as in the folders of version 0.1
        del config["architecture"]
        (folder / "config.json").write_text(json.dumps(config))
    for model, difference in (
        (make_model(rule_data.schema, order_activation="relu"), "order_activation was None"),
        (DeepFM(rule_data.schema), "class was 'InterHAt', is 'DeepFM'"),
    ):
        weights = model.get_weights()
        with pytest.raises(ValueError, match=difference):
            run(rule_data, folder, model, resume=True)
        for weight, before in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(weight, before)


def test_another_configuration_is_not_resumed(rule_data, unbroken):
    with pytest.raises(ValueError) as error:
        run(rule_data, unbroken[0], resume=True, batch_size=64, seed=3)
    assert str(error.value) == (
        f"{unbroken[0]} holds a run of another configuration: "
        "training.batch_size was 50, is 64; training.seed was 0, is 3"
    )


@pytest.mark.parametrize("arguments", [{"embedding_dim": 6}, {"order": 1}, {"order": 3}])
def test_a_checkpoint_of_another_model_is_refused(rule_data, stopped, arguments):
    model = make_model(rule_data.schema, **arguments)
    weights = model.get_weights()
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError) as error:
        run(rule_data, stopped, model, resume=True)
    earlier = make_model(rule_data.schema).get_config()[name]
    assert f"another configuration: architecture.{name} was {earlier}, is {value}" in str(
        error.value
    )
    for weight, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, before)


def test_another_set_of_the_same_name_and_sizes_is_refused(rule_data, stopped, tmp_path):
    """A set of the same rule whose records are others, or whose ids stand for other values."""
    model = make_model(rule_data.schema)
    model.trained_on = {"name": "small", **rule_data.digests}
    with pytest.raises(ValueError, match=r"configuration: data\.records was '.*', is '"):
        run(set_like(rule_data, tmp_path / "records", seed=5), stopped, resume=True)
    swapped = set_like(rule_data, tmp_path / "ids")
    assert swapped.digests == rule_data.digests  # it was prepared at another place
    path = tmp_path / "ids" / swapped.name / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["encoding"]["vocabularies"]["f1"].reverse()
    path.write_text(json.dumps(metadata))
    swapped = PreparedDataset(tfds.builder_from_directory(path.parent))
    with pytest.raises(ValueError, match=r"configuration: data\.vocabulary was '.*', is '"):
        run(swapped, stopped, resume=True)
    with pytest.raises(ValueError, match=r"another set than .*: its ids stand for other values"):
        run(swapped, tmp_path / "run", model)


def test_a_model_carries_the_digests_of_its_set(rule_data, unbroken):
    noted = {"name": rule_data.name, **rule_data.digests}
    assert load(unbroken[0]).trained_on == noted
    again = make_model(rule_data.schema, seed=1)
    run(rule_data, unbroken[0], again, resume=True)
    assert again.trained_on == noted


def test_a_run_of_an_earlier_version_does_not_say_its_set(rule_data, unbroken, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(unbroken[0], folder)
    config = json.loads((folder / "config.json").read_text())
    del config["data"]
    (folder / "config.json").write_text(json.dumps(config))
    assert run(rule_data, folder, resume=True) == unbroken[1]


def set_like(data, folder, seed=0):
    config = RuleConfig(
        name="small", group=(1, 2), records=4_000, num_fields=4, num_values=4, seed=seed
    )
    builder = Builder(config=config, data_dir=folder)
    builder.download_and_prepare()
    found = PreparedDataset(builder)
    assert found.name == data.name and found.schema == data.schema
    return found


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1"])
def test_damaged_files_of_a_run_are_named(rule_data, unbroken, tmp_path, content):
    for name in ("config.json", "report.json", "model.keras"):
        folder = tmp_path / name
        shutil.copytree(unbroken[0], folder)
        (folder / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{folder / name} is (not a model|damaged)"):
            run(rule_data, folder, resume=True)


def test_a_split_of_one_label_is_refused_before_training(rule_data, tmp_path):
    data = set_like(rule_data, tmp_path / "prepared")
    for split in ("validation", "test"):
        counts = data.statistics["splits"][split]
        positives, counts["positives"] = counts["positives"], counts["rows"]
        with pytest.raises(ValueError, match=f", {split}: all labels are 1, and AUC needs both"):
            run(data, tmp_path / "run")
        counts["positives"] = positives
    assert not (tmp_path / "run").exists()


def test_options_of_later_versions_had_their_defaults(rule_data, unbroken, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(unbroken[0], folder)
    config = json.loads((folder / "config.json").read_text())
    for name in ("ema_momentum", "self_distillation", "criterion"):
        del config["training"][name]
    (folder / "config.json").write_text(json.dumps(config))
    assert run(rule_data, folder, resume=True) == unbroken[1]
    with pytest.raises(ValueError, match=r"training.self_distillation was None, is 0.5"):
        run(rule_data, folder, resume=True, self_distillation=0.5)


def test_a_finished_run_of_version_0_1_is_read(rule_data, unbroken, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(unbroken[0], folder)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace("microbatch_size", "piece_rows"))
    assert run(rule_data, folder, resume=True) == unbroken[1]
    with pytest.raises(ValueError, match="microbatch_size was None, is 16"):
        run(rule_data, folder, resume=True, microbatch_size=16)


def test_a_long_value_is_cut_in_the_message(tmp_path):
    training = dataclasses.asdict(TrainingSettings())
    earlier, now = (
        {"architecture": {"crosses": [letter * 5_000]}, "training": training} for letter in "ab"
    )
    write_json(tmp_path / "config.json", earlier)
    with pytest.raises(ValueError, match=r"architecture.crosses was \['aaa.*…, is \['bbb") as error:
        check_config(tmp_path, now, resume=True)
    assert len(str(error.value)) < 700


def test_a_disk_that_is_full_when_the_model_is_saved(tmp_path, monkeypatch, schema):
    def save(temporary):
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    model = InterHAt(schema)
    monkeypatch.setattr(model, "save", save)
    (tmp_path / "model.keras").write_bytes(b"earlier")
    with pytest.raises(FullDiskError, match=r"No space left on device: '.*/model\.keras'"):
        save_model(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    assert (tmp_path / "model.keras").read_bytes() == b"earlier"
