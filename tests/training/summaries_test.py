"""Tests of what TensorBoard reads of a run."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

from interhat_tf.training.summaries import RunSummaries, add_pictures, hyperparameters


def values_of(folder):
    """Returns step and value of all that a run's logs hold."""
    files = [str(path) for path in sorted(folder.glob("tensorboard/*"))]
    events = [
        tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(files)
    ]
    return [(event.step, value) for event in events for value in event.summary.value]


def hparams_of(folder, kind):
    """Returns what the logs say of a kind to the HPARAMS tab, once at most."""
    found = [
        plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for _, value in values_of(folder)
        if value.metadata.plugin_data.plugin_name == "hparams"
    ]
    return [getattr(one, kind) for one in found if one.HasField(kind)]


def test_the_settings_of_a_run_and_its_end(tmp_path):
    config = {
        "architecture": {"class": "FM", "schema": {}, "embedding_dim": 4, "mlp_units": [8, 4]},
        "training": {"learning_rate": 0.01, "jit_compile": False, "input_shards": None},
    }
    summaries = RunSummaries(tmp_path / "run")
    summaries.begin(config)
    summaries.add(1, {"loss": 0.5})
    assert not hparams_of(tmp_path / "run", "session_end_info")
    summaries.end({"best_epoch": 1, "validation": {"auc": 0.75}})
    (start,) = hparams_of(tmp_path / "run", "session_start_info")
    assert set(start.hparams) == set(hyperparameters(config))
    assert start.hparams["learning_rate"].number_value == 0.01
    assert start.hparams["mlp_units"].string_value == "[8, 4]"
    assert start.hparams["jit_compile"].bool_value is False
    (end,) = hparams_of(tmp_path / "run", "session_end_info")
    assert end.status == api_pb2.STATUS_SUCCESS


def test_one_of_several_workers_writes(tmp_path):
    summaries = RunSummaries(tmp_path / "run", writes=False)
    summaries.add(1, {"loss": 0.5})
    assert not (tmp_path / "run").exists()


def test_pictures_are_those_of_the_folder_at_their_epochs(tmp_path):
    grey = np.full((2, 3, 3), 100, "uint8")
    for name in ("reliability.png", "attention/epoch_004/user=u 1.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tf.io.encode_png(grey).numpy())
    (tmp_path / "report.json").write_text(json.dumps({"best_epoch": 2}))
    add_pictures(tmp_path)
    pictures = {
        value.tag: (step, tf.make_ndarray(value.tensor)) for step, value in values_of(tmp_path)
    }
    assert {tag: step for tag, (step, _) in pictures.items()} == {
        "reliability": 2,
        "attention/user=u 1": 5,
    }
    (width, height, png) = pictures["reliability"][1]
    assert (width, height) == (b"3", b"2")
    np.testing.assert_array_equal(tf.io.decode_png(png), grey)


def test_no_report_no_pictures(tmp_path):
    with pytest.raises(FileNotFoundError):
        add_pictures(tmp_path)
