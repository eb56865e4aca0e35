"""Tests of the epochs after the best one in which attention is aligned."""

import dataclasses

import keras
import numpy as np
import pytest

from interhat_tf.training import TrainingSettings, align, align_attention, evaluate, metrics
from interhat_tf.training.averaged_weights import AveragedWeights
from interhat_tf.training.early_stopping import CRITERIA
from tests.training.runs import (
    SETTINGS,
    assert_equal_weights,
    load,
    make_model,
    run,
    what_must_be_equal,
)

# Of which the learning rate is no more than the alignment's largest.
TRAINING = {"max_epochs": 1, "learning_rate": 1e-3, "ema_momentum": 0.9}
ALIGNMENT = {"effect_weight": 0.05, "effect_donors": 2, "alignment_epochs": 2}


@pytest.mark.slow
def test_it_is_align_attention_of_the_best_weights(rule_data, tmp_path, monkeypatch):
    # So it is kept.
    monkeypatch.setitem(align.CRITERIA, "auc - logloss", lambda auc, logloss: 0 * auc)
    # Dropout masks go on where the training ends, and begin again in a model that is loaded.
    models = [make_model(rule_data.schema, dropout=0.0) for _ in range(2)]
    run(rule_data, tmp_path / "plain", models[0], **TRAINING)
    report = run(rule_data, tmp_path / "aligned", models[1], **TRAINING, **ALIGNMENT)
    plain, aligned = load(tmp_path / "plain"), load(tmp_path / "aligned")
    how = {**SETTINGS, **TRAINING, "effect_donors": 2}
    history = align_attention(plain, rule_data, weight=0.05, epochs=2, **how)
    assert_equal_weights(aligned, plain)
    assert aligned.diagnosis == plain.diagnosis
    assert report["alignment"]["validation"] == history and len(history) == 3
    assert report["alignment"]["kept"]
    assert report["validation"] == evaluate(aligned, rule_data, "validation")
    assert report["best_epoch"] == 1 and len(report["history"]) == 1
    assert report["alignment"]["seconds"] > 0


@pytest.mark.slow
def test_a_run_that_is_killed_meanwhile_goes_on(rule_data, tmp_path, monkeypatch):
    how = {**TRAINING, **ALIGNMENT, "optimizer": "lazy_adam", "unknown_share": 0.1}
    how |= {"self_distillation": 1.0}
    unbroken = run(rule_data, tmp_path / "unbroken", **how)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(align, "align_in_epochs", kill)
        run(rule_data, tmp_path / "killed", **how)
    resumed = run(rule_data, tmp_path / "killed", resume=True, **how)
    for report in (resumed, unbroken):
        del report["alignment"]["seconds"]
    assert what_must_be_equal(resumed) == what_must_be_equal(unbroken)
    assert_equal_weights(load(tmp_path / "killed"), load(tmp_path / "unbroken"))


def kill(*_):
    raise KeyboardInterrupt


def aligned(monkeypatch, before, after, labels, logits, weights=None, **how):
    """Returns what is found of an alignment, of its figures and logits before and after it."""
    predictions = iter([(labels, of_one, weights) for of_one in logits])
    monkeypatch.setattr(align, "predict_weighted", lambda *_: next(predictions))
    monkeypatch.setattr(align, "align_in_epochs", lambda *_: [before, after])
    settings = TrainingSettings(**ALIGNMENT, **how)
    optimizer = keras.optimizers.Adam()
    found = align.align_after_training(
        None, None, settings, optimizer, None, before, validate=None, predict=None
    )
    assert found["validation"] == [before, before, after]
    return found


def figures(labels, logits, weights=None):
    return {
        "auc": metrics.auc(labels, logits, weights),
        "logloss": metrics.logloss(labels, logits, weights),
    }


@pytest.mark.parametrize(
    ("worse", "criterion", "cost", "kept"),
    [
        (1e-6, "auc", 0.0, False),
        (0, "auc", 0.0, True),
        (1e-6, "logloss", 0.0, True),
        (1e-3, "auc", 2e-3, True),
        (1e-3, "auc", 5e-4, False),
    ],
)
def test_what_costs_too_much_by_the_criterion_is_not_kept(
    monkeypatch, worse, criterion, cost, kept
):
    before = {"auc": 0.7, "logloss": 0.4}
    after = {"auc": 0.7 - worse, "logloss": 0.4}
    logits = [np.zeros(2)] * 2  # chance moves nothing
    how = {"criterion": criterion, "alignment_cost": cost}
    found = aligned(monkeypatch, before, after, np.array([0, 1]), logits, **how)
    assert found["kept"] == kept and found["cost"] == pytest.approx(
        0.7 - after["auc"] if criterion == "auc" else 0
    )


@pytest.mark.parametrize(
    ("factor", "criterion", "cost", "kept"),
    [
        (2, "auc", 0.0, True),  # the same ranking
        (2, "logloss", 0.0, False),
        (2, "auc - logloss", 0.0, False),
        (2, "auc - logloss", 9.0, True),
        (-1, "auc", 0.0, False),
    ],
)
def test_what_costs_more_than_chance_is_not_kept(monkeypatch, rng, factor, criterion, cost, kept):
    labels = rng.integers(2, size=10_000)
    logits = rng.normal(labels - 0.5, 1.0)  # well calibrated
    both = [logits, factor * logits]
    how = {"criterion": criterion, "alignment_cost": cost}
    found = aligned(monkeypatch, *(figures(labels, z) for z in both), labels, both, **how)
    assert found["kept"] == kept


@pytest.mark.parametrize("criterion", CRITERIA)
def test_chance_is_that_of_the_records_weights(monkeypatch, rng, criterion):
    labels = (rng.random(300) < 0.2).astype("float64")
    both = rng.normal(labels, 1.5, size=(2, 300))
    weights = np.repeat([3.0, 0.0], [200, 100])  # those of the first 200 are alike
    errors = [
        aligned(
            monkeypatch,
            *(figures(y, of_one, w) for of_one in z),
            *(y, z, w),
            criterion=criterion,
        )["standard_error"]
        for y, z, w in [(labels, both, weights), (labels[:200], both[:, :200], None)]
    ]
    assert errors[0] == pytest.approx(errors[1], rel=1e-12) and errors[0] > 0


@pytest.mark.parametrize("criterion", CRITERIA)
def test_chance_moves_the_cost_by_its_standard_error(monkeypatch, rng, criterion):
    costs, errors, kept = [], [], []
    for _ in range(400):
        labels = (rng.random(300) < 0.2).astype("float64")
        signal = rng.normal(labels, 1.5)
        old, new = signal + rng.normal(size=(2, 300))  # as good as each other
        both = [figures(labels, logits) for logits in (old, new)]
        found = aligned(monkeypatch, *both, labels, [old, new], criterion=criterion)
        costs.append(found["cost"])
        errors.append(found["standard_error"])
        kept.append(found["kept"])
    assert np.std(costs) == pytest.approx(np.mean(errors), rel=0.15)
    assert np.mean(kept) == pytest.approx(0.84, abs=0.06)  # of a normal distribution


@pytest.mark.slow
@pytest.mark.parametrize("kept", [True, False])
def test_a_model_that_is_not_kept_stays_as_it_was(rule_data, tmp_path, monkeypatch, capsys, kept):
    def worsen(model, *others):
        *_, validate = others
        best = validate()
        model.set_weights([weight + 1 for weight in model.get_weights()])
        return [{"auc": best["auc"] - 0.5, "logloss": best["logloss"]}]

    monkeypatch.setattr(align, "align_in_epochs", worsen)
    model = make_model(rule_data.schema, dropout=0.0)
    how = {**TRAINING, **ALIGNMENT, "alignment_cost": 0.5 if kept else 0.0}
    report = run(rule_data, tmp_path, model, **how)
    assert report["alignment"]["kept"] == kept
    assert ("not kept" in capsys.readouterr().out) == (not kept)
    best = report["history"][0]["validation_auc"]
    assert (report["validation"]["auc"] == best) == (not kept)
    assert_equal_weights(load(tmp_path), model)


def test_self_distillation_does_not_go_with_alignment_in_all_epochs(rule_data, tmp_path):
    how = {**TRAINING, "self_distillation": 1.0, "effect_weight": 0.05}
    with pytest.raises(ValueError, match="effect_weight and self_distillation do not go together"):
        run(rule_data, tmp_path / "refused", **how)


@pytest.mark.slow
def test_a_run_starts_from_another_without_it(rule_data, tmp_path):
    plain = run(rule_data, tmp_path / "plain", **TRAINING)
    assert "alignment" not in plain
    report = run(
        rule_data, tmp_path / "aligned", start_from=tmp_path / "plain", **TRAINING, **ALIGNMENT
    )
    assert len(report["alignment"]["validation"]) == 3
    with pytest.raises(ValueError, match=r"effect_weight was 0.0 in .* and is 0.05"):
        at_once = {**TRAINING, "effect_weight": 0.05}
        run(rule_data, tmp_path / "at_once", start_from=tmp_path / "plain", **at_once)


def test_the_settings_of_these_epochs():
    settings = TrainingSettings(learning_rate=3e-3, self_distillation=1.0, **ALIGNMENT)
    aligning = settings.of_alignment()
    changed = {"learning_rate": 1e-3, "self_distillation": 0.0, "alignment_epochs": 0}
    assert aligning == dataclasses.replace(settings, **changed)
    assert TrainingSettings(learning_rate=1e-4).of_alignment().learning_rate == 1e-4
    assert settings.aligns and not TrainingSettings(alignment_epochs=3).aligns
    assert TrainingSettings(order_weight=0.1).aligns


def test_only_the_epochs_after_the_best_one_are_aligned(rule_data):
    settings = TrainingSettings(**ALIGNMENT)
    model = make_model(rule_data.schema)
    assert settings.make_alignments(model) == []
    assert len(settings.of_alignment().make_alignments(model)) == 1


@pytest.mark.parametrize("lazy", [False, True])
def test_an_average_that_restarts_is_as_new(rule_data, lazy):
    model = make_model(rule_data.schema)
    averaged = AveragedWeights(model, 0.9, lazy=lazy)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    averaged.after_step(1)
    averaged.restart()
    expected = AveragedWeights(model, 0.9, lazy=lazy)
    for variable, other in zip(averaged.variables, expected.variables, strict=True):
        assert (variable.numpy() == other.numpy()).all()
