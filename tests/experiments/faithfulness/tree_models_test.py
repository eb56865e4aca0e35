"""Tests of what trees say of fields and of pairs, on made-up terms."""

import types

import numpy as np
import pytest

from experiments.faithfulness import tree_models
from experiments.faithfulness.tree_models import TreeModel
from interhat_tf import Field, Schema

TERMS = [(0,), (1,), (0, 2)]
PARTS = np.array([[1.0, -2.0, 4.0, 0.5], [0.0, 3.0, -6.0, 0.5]])  # the last one is of no field


@pytest.fixture
def ebm(monkeypatch):
    """Returns a function that makes a model of the terms, and the seeds that it was fitted with."""
    seeds = []

    class Trees:
        model = types.SimpleNamespace(term_features_=TERMS)

        def __init__(self, schema):
            pass

        def fit(self, training, validation, seed):
            seeds.append((training, validation, seed))

        def logits(self, fields):
            return PARTS.sum(axis=1)

        def contributions(self, fields):
            return PARTS

    def read_records(data, split):
        return split if split != "test" else (None, np.array([1.0, 0.0]))

    monkeypatch.setattr(tree_models, "EBM", Trees)
    monkeypatch.setattr(tree_models, "read_records", read_records)
    data = types.SimpleNamespace(schema=Schema([Field(n, "categorical", 4) for n in "abc"]))
    return TreeModel("ebm", data, 7), seeds


def test_an_ebm_shares_what_it_says_of_a_pair(ebm):
    model, _ = ebm
    values = model.attributions({"categorical": np.zeros((2, 3))})
    assert values.tolist() == [[3.0, -2.0, 2.0], [-3.0, 3.0, -3.0]]


def test_an_ebms_pairs_are_its_terms_of_two_fields(ebm):
    model, _ = ebm
    pairs = model.pair_effects({"categorical": np.zeros((2, 3))})  # ab, ac, bc
    assert pairs.tolist() == [[0.0, 4.0, 0.0], [0.0, -6.0, 0.0]]


def test_trees_are_fitted_with_the_seed_and_tested_on_the_test_split(ebm):
    model, seeds = ebm
    assert seeds == [("train", "validation", 7)] and model.test_auc == 1.0
