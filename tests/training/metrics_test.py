import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from interhat_tf.training.metrics import auc, logloss


def click_log(rows, rate=0.3, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < rate).astype("uint8")
    return labels, rng.normal(labels * 0.5 - 1, 1.5)


RANDOM_LABELS, RANDOM_LOGITS = click_log(1000)
CASES = {
    "random": (RANDOM_LABELS, RANDOM_LOGITS),
    "heavy_ties": (RANDOM_LABELS, RANDOM_LOGITS.round()),
    "all_tied": (RANDOM_LABELS, np.full(1000, -0.7)),
    "float32": (RANDOM_LABELS, RANDOM_LOGITS.astype("float32")),
    "bool_labels_as_columns": (RANDOM_LABELS[:, None] == 1, RANDOM_LOGITS[:, None]),
    "confident": (RANDOM_LABELS, RANDOM_LOGITS * 4),
    "two_records": ([1, 0], [0.3, -0.2]),
    "two_records_wrong": ([0, 1], [0.3, -0.2]),
    "three_records_tied": ([0, 1, 1], [0.5, 0.5, 0.1]),
    "million_at_one_percent": click_log(1_000_000, rate=0.01),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_scikit_learn(case):
    labels, logits = map(np.ravel, CASES[case])
    assert auc(*CASES[case]) == pytest.approx(roc_auc_score(labels, logits), rel=0, abs=1e-12)
    # Both columns from the logits: 1 - p would round where the model is confident.
    z = logits.astype("float64")
    probabilities = np.stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))], axis=1)
    assert logloss(*CASES[case]) == pytest.approx(log_loss(labels, probabilities), rel=0, abs=1e-12)


def test_auc_is_the_share_of_pairs_ranked_rightly():
    labels, logits = CASES["heavy_ties"]
    difference = logits[labels == 1][:, None] - logits[labels == 0]
    assert auc(labels, logits) == pytest.approx(
        np.mean((difference > 0) + 0.5 * (difference == 0)), rel=0, abs=1e-12
    )


@pytest.mark.parametrize("transform", [np.exp, np.arctan, lambda z: 3 * z - 5])
def test_monotone_transformation_leaves_auc(transform):
    assert auc(RANDOM_LABELS, transform(RANDOM_LOGITS)) == auc(RANDOM_LABELS, RANDOM_LOGITS)


def test_logloss_of_certain_logits_is_not_clipped():
    assert logloss([0, 1], [1000.0, 1000.0]) == 500.0
    assert logloss([1], [60.0]) == pytest.approx(np.exp(-60.0), rel=1e-9)


@pytest.mark.parametrize("label", [0, 1])
def test_auc_of_one_label_raises(label):
    with pytest.raises(ValueError, match="both labels"):
        auc([label] * 3, [0.1, 0.2, 0.3])


@pytest.mark.parametrize("metric", [auc, logloss])
@pytest.mark.parametrize(
    ("labels", "logits", "message"),
    [
        ([0, 1, 1], [0.1, np.nan, np.inf], "2 of 3 logits are not finite"),
        ([0, 1], [0.1, -np.inf], "1 of 2 logits are not finite"),
        ([0, 1], [0.1], "1 logits and 2 labels"),
        ([], [], "0 logits and 0 labels"),
        ([0, 2], [0.1, 0.2], "labels must be 0 or 1"),
    ],
)
def test_bad_input_raises_instead_of_giving_a_number(metric, labels, logits, message):
    with pytest.raises(ValueError, match=message):
        metric(labels, logits)
