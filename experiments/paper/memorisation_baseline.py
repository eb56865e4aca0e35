"""A table look-up on Frappe, which shows how much of its test split is told by its negatives."""

import numpy as np

from interhat_tf.training import metrics

POPULARITY_BINS = 20


def look_up_baseline(data):
    """Ranks by whether the user-app pair was positive in training, then by the app's popularity.

    The logloss is that of the click rates which validation has for the pairs
    seen and not seen, by bins of popularity.
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
    cells = seen * (len(edges) + 1) + np.searchsorted(edges, popular, side="right")
    size = 2 * (len(edges) + 1)
    clicks = np.bincount(cells, labels["validation"], minlength=size)
    rates = (clicks + 1) / (np.bincount(cells, minlength=size) + 2)

    seen, popular = rank("test")
    cells = seen * (len(edges) + 1) + np.searchsorted(edges, popular, side="right")
    logits = np.log(rates[cells] / (1 - rates[cells]))
    return {
        "auc": metrics.auc(labels["test"], seen + popular),
        "logloss": metrics.logloss(labels["test"], logits),
    }
