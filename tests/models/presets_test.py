"""The presets of InterHAt: what they are made of, and what they are trained with."""

import json

import keras
import pytest

from interhat_tf import Field, InterHAt, Schema, TrainingSettings
from interhat_tf.models import PRESETS, preset_model
from interhat_tf.models.presets import (
    DATASETS,
    OTHER_DATASET,
    hyperparameters,
    number_of_values,
)
from tests.numpy_reference import weights_of


@pytest.mark.parametrize(
    ("dataset", "dim", "size", "heads", "l2"),
    [("criteo", 12, 30, 12, 2e-4), ("avazu", 8, 20, 8, 2e-4), ("frappe", 12, 16, 4, 2e-3)],
)
def test_table_2(dataset, dim, size, heads, l2):
    printed = l2 / 4_000  # Equation 6 adds lambda to a sum of losses, a step to their mean
    for preset, penalties in {
        "paper": {"embedding_l2": printed, "aggregation_l2": printed, "dense_l2": printed},
        "released": {"embedding_l2": l2, "aggregation_l2": l2 / 2},  # TensorFlow 1 halves it
    }.items():
        arguments, training = hyperparameters(dataset, preset, rows=4_000)
        assert arguments["embedding_dim"] == dim
        assert arguments["attention_size"] == size
        assert arguments["num_heads"] == heads
        assert {name: v for name, v in arguments.items() if name.endswith("_l2")} == penalties
        assert training["beta_2"] == {"paper": 0.999, "released": 0.98}[preset]


def test_without_rows_the_paper_divides_by_those_of_the_data_set():
    for dataset, lambda_ in {"frappe/nfm": 2e-3, "my_log": 2e-3, "criteo": 2e-4}.items():
        rows = 11_000_000 if dataset == "criteo" else 202_027
        arguments, _ = hyperparameters(dataset, "paper")
        assert arguments["dense_l2"] == lambda_ / rows


def test_the_model_built_by_the_library_alone_carries_the_printed_penalty(schema):
    model = InterHAt.from_preset("paper", schema, rows=50)
    weights = sum(float((w.numpy() ** 2).sum()) for w in model.trainable_weights)
    assert float(sum(model.losses)) == pytest.approx(2e-3 / 50 * weights, rel=1e-5)


def test_rows_below_1_are_a_one_line_error(schema):
    with pytest.raises(ValueError, match="rows must be at least 1"):
        InterHAt.from_preset("paper", schema, rows=0)


@pytest.mark.parametrize("name", [None, "my_log", "my_log/full"])
def test_a_data_set_without_a_row_has_the_sizes_and_penalties_of_frappe(name):
    for preset in PRESETS:
        arguments, training = hyperparameters(name, preset)
        assert arguments == hyperparameters("frappe/nfm", preset)[0]
        assert training == {"batch_size": 2048, **PRESETS[preset].training} or preset == "tuned"


def test_tuned_is_the_same_on_data_sets_of_few_values_but_for_the_penalty():
    for name in (*DATASETS, None):
        arguments, training = hyperparameters(name, "tuned", rows=200_000)
        values = DATASETS.get(name, OTHER_DATASET).values
        form = PRESETS["tuned"].for_log(200_000, values)
        penalty = pytest.approx(form.l2 * min(values, 60_000) / 200_000)
        assert arguments == {**form.arguments, "embedding_l2": penalty}
        assert (form == PRESETS["tuned"]) == (name not in ("criteo", "avazu"))
        of_preset = {k: v for k, v in form.training.items() if v is not None}
        assert training == {**of_preset, "ema_momentum": 0.995}
        assert "microbatch_size" not in training
    chosen, _ = hyperparameters("frappe", "tuned")
    assert chosen["embedding_l2"] == pytest.approx(0.032, rel=0.02)


def test_the_penalty_of_tuned_is_the_stronger_the_fewer_records_a_value_has(schema):
    def penalty(**given):
        return hyperparameters(None, "tuned", **given)[0]["embedding_l2"]

    values = sum(max(field.vocabulary_size, 1) for field in schema.fields)
    assert penalty(rows=1000, schema=schema) == pytest.approx(1.2 * values / 1000)
    assert number_of_values(schema, 4) <= 4 * len(schema.fields)
    # Beyond Frappe's records, a tenth of it for ten times the records a value.
    most = penalty(rows=202_027, schema=schema)
    assert most == pytest.approx(1.2 * values / 202_027)
    assert penalty(rows=2_020_270, schema=schema) == pytest.approx(most / 100)
    # Of values that few records have, no more than 0.3 a record count, nor of Frappe's records.
    users = Schema([Field("user", "categorical", 10**6)])
    assert penalty(rows=4, schema=schema) == pytest.approx(1.2 * 0.3)
    assert penalty(rows=202_027, schema=users) == pytest.approx(3.7 * 0.3)
    assert penalty(rows=1_000_000, schema=users) == pytest.approx(3.7 * 0.3 * 0.202027**2)
    movielens, _ = hyperparameters("movielens_ctr", "tuned")
    assert 0.0005 < movielens["embedding_l2"] < 0.002
    model = InterHAt.from_preset("tuned", schema.to_dict(), rows=1000)
    assert model.get_config()["embedding_l2"] == penalty(rows=1000, schema=schema)


@pytest.mark.parametrize(("values", "width"), [(20_000, 64), (20_001, 16)])
def test_tuned_is_narrower_where_there_are_many_values(values, width):
    schema = Schema([Field("user", "categorical", values - 1), Field("price", "numerical")])
    model = InterHAt.from_preset("tuned", schema, rows=10**6)
    assert model.get_config()["embedding_dim"] == width
    assert model.shared_values == (width == 16)
    assert model.get_config()["pair_values"] == (width == 64)
    # As many as there are records, at most.
    arguments, _ = hyperparameters("my_log", "tuned", rows=1000, schema=schema)
    assert arguments["embedding_dim"] == 64


def test_the_rate_of_tuned_falls_on_large_logs_of_many_values():
    users = Schema([Field("user", "categorical", 10**6)])
    few = Schema([Field("app", "categorical", 1000)])
    falls = {"learning_rate_factor": 0.1, "patience": 2}
    stays = {"learning_rate_factor": 1.0, "patience": 5}
    for rows, schema, expected in [
        (1_000_000, users, stays),
        (1_000_001, users, falls),
        (1_000_001, few, {**stays, "patience": 10}),
    ]:
        _, training = hyperparameters("my_log", "tuned", rows=rows, schema=schema)
        assert training | expected == training
    penalty = hyperparameters("my_log", "tuned", rows=2_020_270, schema=users)[0]["embedding_l2"]
    assert penalty == pytest.approx(12 * 0.3 / 100)


def test_microbatches_are_for_interhat():
    for name in ("criteo", "avazu"):
        assert hyperparameters(name, "released")[1]["microbatch_size"] == 256
        assert "microbatch_size" not in hyperparameters(name, "released", "deepfm")[1]
    assert "microbatch_size" not in hyperparameters("frappe", "released")[1]


def test_other_models_have_the_data_sets_learning_rate_and_their_own_arguments():
    assert hyperparameters("movielens_ctr", "released", "deepfm") == (
        {},
        {"learning_rate": 2e-3, "batch_size": 4096},
    )
    assert hyperparameters("my_log", "released", "deepfm") == ({}, {"batch_size": 2048})


@pytest.mark.parametrize(
    ("rows", "batch_size"),
    [
        (10, 32),
        (4_800, 32),
        (9_599, 32),
        (9_600, 64),
        (96_000, 512),
        (153_600, 1024),
        (10**6, 1024),
    ],
)
def test_an_epoch_of_a_small_log_has_enough_steps(rows, batch_size):
    for dataset in ("criteo", "my_log"):
        assert hyperparameters(dataset, "tuned", rows=rows)[1]["batch_size"] == batch_size
    of_others = max(batch_size, 2048 if rows == 10**6 else 0)
    for model in ("dnn", "interhat"):
        training = hyperparameters("my_log", "released", model, rows=rows)[1]
        assert training["batch_size"] == of_others
    assert hyperparameters("frappe", "released", rows=rows)[1]["batch_size"] == 1024  # as printed


@pytest.mark.parametrize(
    ("rows", "batch_size", "rate"),
    [
        (1_600_170, 1024, 5e-4),  # MovieLens
        (3_071_999, 1024, 5e-4),
        (3_072_000, 2048, 5e-4 * 2**0.5),
        (6_144_000, 4096, 1e-3),
        (10**9, 4096, 1e-3),
    ],
)
def test_batches_of_tuned_grow_with_the_log(rows, batch_size, rate):
    training = hyperparameters("my_log", "tuned", rows=rows)[1]
    assert training["batch_size"] == batch_size
    assert training["learning_rate"] == pytest.approx(rate)
    others = hyperparameters("my_log", "released", rows=rows)[1]
    assert others["batch_size"] == 2048 and "learning_rate" not in others


@pytest.mark.parametrize(
    ("rows", "momentum"),
    [
        (1_000, 0.995),  # no less than 200 steps, on Frappe about an epoch
        (202_027, 0.995),
        (1_600_170, 1 - 1024 / 1_600_170),
        (10**9, 0.9999),  # no more than 10,000
    ],
)
def test_averages_of_tuned_span_an_epoch(schema, rows, momentum):
    training = hyperparameters("my_log", "tuned", rows=rows)[1]
    assert training["ema_momentum"] == pytest.approx(momentum, abs=1e-6)
    assert "ema_momentum" not in hyperparameters("my_log", "released", rows=rows)[1]
    settings = TrainingSettings.of_model(InterHAt.from_preset("tuned", schema, rows=rows))
    assert settings.ema_momentum == training["ema_momentum"]


def test_a_model_of_batch_normalisation_leaves_the_threads_alone(schema, monkeypatch):
    asked = []
    monkeypatch.setattr(preset_model, "prepare_for_microbatches", lambda: asked.append(1))
    InterHAt.from_preset("released", schema, "criteo", order=1, value_dim=4)
    assert not asked
    InterHAt.from_preset("released", schema, "criteo", order=1)
    assert asked == [1]


def test_unknown_preset_is_a_one_line_error(schema):
    with pytest.raises(ValueError, match=r"one of paper, .*; got 'papre'") as error:
        InterHAt.from_preset("papre", schema)
    assert "\n" not in str(error.value)


# The model that they make.


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("dataset", [None, "avazu"])
def test_the_model_has_the_arguments_and_carries_the_settings(schema, preset, dataset):
    arguments, training = hyperparameters(dataset, preset, schema=schema)
    model = InterHAt.from_preset(preset, schema, dataset, name="same")
    assert model.get_config() == InterHAt(schema, **arguments, name="same").get_config()
    assert model.training_settings == training
    assert TrainingSettings(**model.training_settings).beta_2 == training["beta_2"]
    assert type(model.training_settings) is dict


def test_arguments_win_over_the_preset(schema):
    model = InterHAt.from_preset("paper", schema, mlp_bias=False, mlp_units=(), dense_l2=0.0)
    assert {p for p in weights_of(model) if p.startswith("mlp")} == {"mlp_1/kernel"}
    assert model.get_config()["dense_l2"] == 0
    assert InterHAt.from_preset("tuned", schema, embedding_dim=8).get_config()["embedding_dim"] == 8


def test_tuned_keeps_the_hierarchy_and_penalises_the_tables_alone(schema):
    tuned = InterHAt.from_preset("tuned", schema, rows=1000)
    assert tuned.order >= 2
    assert len(tuned.field_values) == tuned.order
    tables = [w.path for w in tuned.embedding.trainable_weights]
    assert [w.path for w in tuned.trainable_weights if w.regularizer] == tables


def test_settings_are_saved_with_the_model_and_no_part_of_its_configuration(schema, tmp_path):
    model = InterHAt.from_preset("released", schema, "criteo", order=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (
        loaded.training_settings
        == model.training_settings
        == {
            "microbatch_size": 256,
            "beta_2": 0.98,
        }
    )
    assert "microbatch" not in json.dumps(model.get_config())


def test_a_model_of_no_preset_has_no_settings(schema, tmp_path):
    model = InterHAt(schema)
    assert model.training_settings == {}
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").training_settings == {}
