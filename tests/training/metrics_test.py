import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from interhat_tf.training.metrics import auc, grouped_auc, influences, logloss


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


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_weighted_equals_scikit_learn(case, scale):
    labels, logits = map(np.ravel, CASES[case])
    weights = scale * np.random.default_rng(1).lognormal(sigma=2, size=len(labels))
    if len(labels) > 3:
        weights[::7] = 0.0
    z = logits.astype("float64")
    expected = roc_auc_score(labels, logits, sample_weight=weights)
    assert auc(*CASES[case], weights) == pytest.approx(expected, rel=0, abs=1e-9)
    probabilities = np.stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))], axis=1)
    expected = log_loss(labels, probabilities, sample_weight=weights)
    assert logloss(*CASES[case], weights) == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.parametrize("metric", [auc, logloss])
def test_a_weight_is_a_number_of_equal_records(metric):
    labels, logits = CASES["heavy_ties"]
    times = np.random.default_rng(2).integers(0, 4, len(labels))
    repeated = metric(np.repeat(labels, times), np.repeat(logits, times))
    assert metric(labels, logits, times) == pytest.approx(repeated, rel=0, abs=1e-12)
    assert metric(labels, logits, np.ones(len(labels))) == pytest.approx(
        metric(labels, logits), rel=0, abs=1e-12
    )


@pytest.mark.parametrize("metric", [auc, logloss])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1, 1], "1 of 3 weights are negative or not finite"),
        ([1, np.nan, np.inf], "2 of 3 weights are negative or not finite"),
        ([1, 1], "2 weights and 3 labels"),
        ([0, 0, 0], "all weights are 0"),
    ],
)
def test_bad_weights_raise(metric, weights, message):
    with pytest.raises(ValueError, match=message):
        metric([0, 1, 1], [0.1, 0.2, 0.3], weights)


def test_auc_of_one_label_with_a_weight_raises():
    with pytest.raises(ValueError, match="both labels with a weight above 0"):
        auc([0, 1, 1], [0.1, 0.2, 0.3], [0, 1, 1])


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


def test_a_score_that_two_groups_share_is_a_place_in_each():
    assert grouped_auc([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.9], groups=[1, 1, 2, 2]) == 0.75


@pytest.mark.parametrize("weighted", [False, True])
def test_grouped_auc_is_the_mean_of_scikit_learns(weighted):
    rng = np.random.default_rng(3)
    labels, logits = click_log(3000)
    logits, groups = logits.round(1), rng.integers(5, 400, 3000)
    weights = rng.exponential(size=3000) if weighted else np.ones(3000)
    of_groups, sizes = [], []
    for group in np.unique(groups):
        of_group = groups == group
        if len(set(labels[of_group])) == 2:
            of_groups.append(
                roc_auc_score(labels[of_group], logits[of_group], sample_weight=weights[of_group])
            )
            sizes.append(weights[of_group].sum())
    assert len(sizes) < len(np.unique(groups))  # some are left out
    expected = np.average(of_groups, weights=sizes)
    found = grouped_auc(labels, logits, groups, weights if weighted else None)
    assert found == pytest.approx(expected, rel=0, abs=1e-9)


def test_grouped_auc_of_one_group_is_auc():
    labels, logits = CASES["heavy_ties"]
    assert grouped_auc(labels, logits, np.zeros(1000)) == pytest.approx(auc(labels, logits))


def test_grouped_auc_needs_a_group_of_both_labels():
    with pytest.raises(ValueError, match="no group has records of both labels"):
        grouped_auc([0, 1], [0.1, 0.2], [1, 2])
    with pytest.raises(ValueError, match="one group for each label, got 3"):
        grouped_auc([0, 1], [0.1, 0.2], [1, 2, 3])


@pytest.mark.parametrize("case", ["random", "heavy_ties", "all_tied", "two_records_wrong"])
@pytest.mark.parametrize("weighted", [False, True])
def test_influences_are_what_a_records_weight_moves_a_figure_by(case, weighted):
    labels, logits = map(np.ravel, CASES[case])
    weights = np.ones(len(labels))
    if weighted:
        weights = np.random.default_rng(1).lognormal(size=len(labels))
    found = influences(labels, logits, weights if weighted else None)
    for metric, influence in zip((auc, logloss), found, strict=True):
        assert weights @ influence == pytest.approx(0, abs=1e-9)
        for i in range(0, len(labels), 97):
            step = np.where(np.arange(len(labels)) == i, 1e-4, 0.0)
            up, down = (metric(labels, logits, weights + sign * step) for sign in (1, -1))
            slope = (up - down) / 2e-4 * weights.sum()
            assert influence[i] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_influences_need_both_labels():
    with pytest.raises(ValueError, match="one label alone"):
        influences([1, 1, 0], [0.1, 0.2, 0.3], [1, 1, 0])
