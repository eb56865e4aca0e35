"""Tests of explanations for the plots of the shap package."""

import sys

import keras
import matplotlib
import numpy as np
import pytest

from interhat_tf import InterHAt, explain_records
from tests.explanation.made import SCHEMA, make_inputs

matplotlib.use("Agg")


@pytest.fixture(params=[False, True], ids=["contributions", "effects"])
def explanation(request):
    keras.utils.set_random_seed(0)
    inputs = make_inputs(30)
    background = make_inputs(4, seed=1) if request.param else None
    return explain_records(InterHAt(SCHEMA, order=2), inputs, background=background)


def test_values_and_base_sum_to_the_logit(explanation):
    found = explanation.to_shap()
    shares = explanation.effects
    if shares is None:
        shares = explanation.contributions.sum(axis=1)
        np.testing.assert_allclose(found.base_values, explanation.bias, atol=1e-5)
    np.testing.assert_allclose(found.values, shares, atol=1e-6)
    np.testing.assert_allclose(
        found.base_values + found.values.sum(axis=1), explanation.logits, atol=1e-5
    )
    assert found.feature_names == ["f1", "f2", "f3", "price"]
    assert found.data.tolist() == explanation.values.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("plot", ["bar", "beeswarm", "waterfall", "heatmap"])
def test_its_plots_take_it(explanation, plot):
    shap = pytest.importorskip("shap")
    import matplotlib.pyplot as plt

    found = explanation.to_shap()
    getattr(shap.plots, plot)(found[0] if plot == "waterfall" else found, show=False)
    texts = {text.get_text() for axes in plt.gcf().axes for text in axes.get_yticklabels()}
    assert any("price" in text for text in texts)
    plt.close("all")


def test_without_shap_it_says_what_to_install(explanation, monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ImportError, match=r"pip install 'interhat_tf\[shap\]'"):
        explanation.to_shap()
