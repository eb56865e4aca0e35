"""Models, prepared sets and runs that version 0.1 wrote are still read and resumed."""

import json
import pathlib
import shutil

import keras
import numpy as np
import pytest

from interhat_tf import InterHAt, prepare_click_log
from interhat_tf.input_pipeline import prepared_dataset
from interhat_tf.training import TrainingSettings, train

OLD = pathlib.Path(__file__).parent / "version_0_1"
MODELS = sorted(path.stem for path in (OLD / "models").iterdir())
RUNS = {"whole": {}, "pieces": {"microbatch_size": 16}, "lazy": {"optimizer": "lazy_adam"}}


@pytest.fixture(scope="module")
def data():
    return prepared_dataset("clicks", OLD / "prepared")


@pytest.fixture(scope="module")
def expected():
    with np.load(OLD / "expected.npz") as arrays:
        return dict(arrays)


def inputs_of(expected):
    kinds = ("categorical", "numerical")
    return {kind: expected[f"input_{kind}"] for kind in kinds}


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_loads_and_predicts_the_same(name, expected):
    model = keras.models.load_model(OLD / "models" / f"{name}.keras")
    logits = model.predict_on_batch(inputs_of(expected))[:, 0]
    np.testing.assert_allclose(logits, expected[name], rtol=1e-5, atol=1e-6)
    config = json.loads(json.dumps(model.get_config()))
    old = json.loads((OLD / "configs.json").read_text())[name]
    assert {key: config[key] for key in old} == old


def test_a_prepared_set_opens(data, expected):
    inputs, _ = next(data.evaluation_batches("test", 16).as_numpy_iterator())
    for kind, values in inputs_of(expected).items():
        np.testing.assert_array_equal(inputs[kind], values)
    for split in ("train", "validation", "test"):
        data.check(split)
    texts = data.decode(inputs)
    columns = dict(zip(data.schema.field_names, texts.T, strict=True))
    encoded = data.encode({name: list(column) for name, column in columns.items()})
    np.testing.assert_array_equal(encoded["categorical"], inputs["categorical"])
    np.testing.assert_allclose(encoded["numerical"], inputs["numerical"], atol=1e-5)


def test_a_missing_number_is_the_minimum_as_it_was(data):
    records = {name: [""] for name in data.reading.columns}
    assert not data.schema.missing_numbers
    assert (data.encode(records, max_unknown=1.0)["numerical"] == 0).all()


def test_a_log_opens_its_set_as_it_is_but_for_another_scale(tmp_path):
    folder = shutil.copytree(OLD / "prepared", tmp_path / "prepared")
    metadata = folder / "clicks/1.0.0/metadata.json"
    path = str(OLD / "clicks.csv")
    metadata.write_text(metadata.read_text().replace('[["clicks.csv"', f"[[{json.dumps(path)}"))
    options = {"name": "clicks", "data_dir": folder}
    for scaling in (None, "min-max"):
        data = prepare_click_log(path, scaling=scaling, **options)
        assert not data.encoding.scales and not data.schema.missing_numbers
    with pytest.raises(ValueError, match="holds a prepared set that differs in: scaling; give"):
        prepare_click_log(path, scaling="quantiles", **options)


def resume(data, folder, settings):
    keras.utils.set_random_seed(1)  # the weights are to come from the folder
    sizes = {"embedding_dim": 8, "num_heads": 2, "attention_size": 4, "order": 2}
    model = InterHAt(data.schema, **sizes, embedding_l2=1e-3, aggregation_l2=1e-3)
    given = {"batch_size": 64, "learning_rate": 0.01, "checkpoint_minutes": 0.0, "max_epochs": 3}
    report = train(model, data, folder, TrainingSettings(**given, **settings), resume=True)
    return report, model.get_weights()


@pytest.mark.parametrize("name", RUNS)
def test_a_finished_run_gives_its_report_and_weights(data, tmp_path, name):
    folder = shutil.copytree(OLD / "runs" / f"{name}_finished", tmp_path / name)
    report, weights = resume(data, folder, RUNS[name])
    assert report == json.loads((folder / "report.json").read_text())
    with np.load(OLD / "runs" / f"{name}_final.npz") as final:
        for i, weight in enumerate(weights):
            np.testing.assert_array_equal(weight, final[f"arr_{i}"])


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_killed_run_goes_on_to_the_same_end(data, tmp_path, name):
    folder = shutil.copytree(OLD / "runs" / f"{name}_stopped", tmp_path / name)
    report, weights = resume(data, folder, RUNS[name])
    old = json.loads((OLD / "runs" / f"{name}_finished" / "report.json").read_text())
    assert report["history"][:2] == old["history"][:2]  # read from the folder
    assert report["best_epoch"] == old["best_epoch"]
    # Another processor adds up in another order.
    assert report["test"]["auc"] == pytest.approx(old["test"]["auc"], abs=1e-3)
    with np.load(OLD / "runs" / f"{name}_final.npz") as final:
        for i, weight in enumerate(weights):
            np.testing.assert_allclose(weight, final[f"arr_{i}"], rtol=1e-3, atol=1e-4)
