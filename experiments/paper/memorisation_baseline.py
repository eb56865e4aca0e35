"""A model that only remembers: how much of Frappe's test split its negatives give away."""

import numpy as np

from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.training import metrics

POPULARITY_BINS = 20


def memorisation_baseline(data: PreparedDataset) -> dict[str, float]:
    """Ranks by whether the user-app pair was positive in training, then by the app's popularity.

    The logloss is that of the click rates on validation of the pairs seen and
    not seen, by bins of popularity.

    Returns:
        `auc` and `logloss` on the test split.
    """
    fields = [data.schema.field_names.index(name) for name in ("user", "item")]
    ids, labels = {}, {}
    for split in ("train", "validation", "test"):
        batches = list(data.evaluation_batches(split, 8192).as_numpy_iterator())
        ids[split] = np.concatenate([inputs["categorical"][:, fields] for inputs, _ in batches])
        labels[split] = np.concatenate([label for _, label in batches])
    apps = data.schema.vocabulary_sizes[fields[1]]
    positive = ids["train"][labels["train"] == 1]  # (positives, 2)
    popularity = np.bincount(positive[:, 1], minlength=apps)
    pairs = np.unique(positive @ [apps, 1])

    def rank(split):
        seen = np.isin(ids[split] @ [apps, 1], pairs)
        return seen, popularity[ids[split][:, 1]] / (popularity.max() + 1)

    seen, popular = rank("validation")
    edges = np.unique(np.quantile(popular, np.linspace(0, 1, POPULARITY_BINS + 1)[1:-1]))
    bins = len(edges) + 1

    def cell(seen, popular):
        return seen * bins + np.searchsorted(edges, popular, side="right")

    cells = cell(seen, popular)
    clicks = np.bincount(cells, labels["validation"], minlength=2 * bins)
    rates = (clicks + 1) / (np.bincount(cells, minlength=2 * bins) + 2)

    seen, popular = rank("test")
    rate = rates[cell(seen, popular)]
    return {
        "auc": metrics.auc(labels["test"], seen + popular),
        "logloss": metrics.logloss(labels["test"], np.log(rate / (1 - rate))),
    }
