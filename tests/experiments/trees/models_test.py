"""What both libraries of trees are asked for, on records that a pair of fields decides."""

import numpy as np
import pytest

from experiments.trees.ebm import EBM
from experiments.trees.lightgbm_trees import LightGBM
from interhat_tf.training import metrics


@pytest.fixture(scope="module", params=["lightgbm", "ebm"])
def kind(request):
    small = {"interactions": 1, "learning_rate": 0.3, "smoothing_rounds": 0, "max_epochs": 300}
    return {
        "lightgbm": (LightGBM, {"min_data_in_leaf": 5, "cat_smooth": 1.0, "cat_l2": 1.0}),
        "ebm": (EBM, small),
    }[request.param]


@pytest.fixture
def fit(kind, schema, records):
    def fit(seed=0, **arguments):
        model_class, usual = kind
        model = model_class(schema, **{**usual, **arguments})
        model.fit(records(2500, 1), records(500, 2), seed)
        return model

    return fit


def test_the_pair_and_the_number_are_learnt(fit, records):
    model = fit()
    fields, labels = records(2000, 3)
    found = metrics.auc(labels, model.logits(fields))
    best = np.where((fields[:, 1] + fields[:, 2]) % 3 == 0, 2.0, -2.0) + 2 * fields[:, 3]
    assert found > metrics.auc(labels, best) - 0.06
    # A probability, not a rank alone: the truth's logloss is 0.46, that of the click rate 0.69.
    assert metrics.logloss(labels, model.logits(fields)) < metrics.logloss(labels, best) + 0.1


def test_contributions_sum_to_the_logit(fit, records):
    model = fit()
    fields, _ = records(200, 3)
    contributions = model.contributions(fields)  # (200, fields or terms, and the bias)
    np.testing.assert_allclose(contributions.sum(axis=1), model.logits(fields), atol=1e-6)
    assert np.ptp(contributions[:, -1]) == 0


def test_epochs_and_parameters_are_counted(fit):
    model = fit()
    assert 0 < model.best_epoch <= model.epochs
    fewer = fit(max_epochs=3)
    assert fewer.epochs < model.epochs
    assert fewer.count_params() <= model.count_params()


def test_validation_ends_the_training(kind, schema, records):
    """The labels of validation are turned: nothing that is learnt serves them."""
    model_class, usual = kind
    model = model_class(schema, **usual)
    fields, labels = records(500, 2)
    model.fit(records(1500, 1), (fields, 1 - labels), 0)
    assert np.std(model.logits(fields)) < 0.2


def test_lightgbms_categories_have_no_order(schema, records):
    """The same values under other ids give the same model."""
    fields, _ = records(200, 3)

    def logits(ids):
        def renamed(part):
            return np.column_stack([part[:, 0], ids[part[:, 1].astype(int)], part[:, 2:]])

        model = LightGBM(schema)
        train, validation = records(3000, 1), records(1000, 2)
        model.fit((renamed(train[0]), train[1]), (renamed(validation[0]), validation[1]), 0)
        return model.logits(renamed(fields))

    other = np.array([3, 5, 0, 4, 1, 2], "float32")
    np.testing.assert_allclose(logits(other), logits(np.arange(6)), atol=0.05)


def test_ebms_categories_have_no_order(schema, records):
    model = EBM(schema, interactions=0, max_epochs=5)
    model.fit(records(300, 1), records(100, 2), 0)
    assert list(model.model.feature_types_in_) == ["nominal"] * 3 + ["continuous"]


def test_the_same_seed_gives_the_same_model(fit, records):
    fields, _ = records(200, 3)
    np.testing.assert_array_equal(fit(seed=4).logits(fields), fit(seed=4).logits(fields))


def test_lightgbm_draws_by_the_seed(schema, records):
    models = [LightGBM(schema, bagging_fraction=0.5, feature_fraction=0.5) for _ in range(2)]
    for seed, model in enumerate(models):
        model.fit(records(3000, 1), records(1000, 2), seed)
    fields, _ = records(200, 3)
    assert not np.array_equal(*(model.logits(fields) for model in models))


def test_trees_after_the_best_one_were_grown_and_do_not_count(schema, records):
    model = LightGBM(schema, min_data_in_leaf=5, patience=7)
    fields, labels = records(500, 2)
    model.fit(records(2500, 1), (fields, labels), 0)
    assert model.epochs == model.best_epoch + 7
    few = LightGBM(schema, min_data_in_leaf=5, max_epochs=model.best_epoch)
    few.fit(records(2500, 1), (fields, labels), 0)
    np.testing.assert_array_equal(model.logits(fields), few.logits(fields))
    np.testing.assert_array_equal(model.contributions(fields), few.contributions(fields))
    assert model.count_params() == few.count_params()
