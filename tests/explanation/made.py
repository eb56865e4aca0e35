"""Records and explanations made for the tests."""

import numpy as np

from interhat_tf import Field, Schema
from interhat_tf.explanation.explanation import Explanation

SCHEMA = Schema(
    [Field(f"f{i}", "categorical", 4) for i in range(1, 4)] + [Field("price", "numerical")]
)


def make_inputs(rows, seed=0):
    """Random records of the schema above."""
    rng = np.random.default_rng(seed)
    return {
        "categorical": rng.integers(0, 4, (rows, 3)).astype("int32"),
        "numerical": rng.normal(size=(rows, 1)).astype("float32"),
    }


def cut(inputs, *sizes):
    """Cuts inputs into batches of these sizes."""
    ends = np.cumsum(sizes)
    return [
        {name: value[end - size : end] for name, value in inputs.items()}
        for end, size in zip(ends, sizes, strict=True)
    ]


class MadeModel:
    """A model whose logit is a function of the records' fields; it counts what it predicts.

    Args:
        schema: The records' schema.
        logit: Maps the columns of a batch, one argument a field, to its logits.
    """

    def __init__(self, schema, logit):
        self.schema, self.logit, self.predicted = schema, logit, 0

    def predict_on_batch(self, inputs):
        columns = np.concatenate(list(inputs.values()), axis=1).T
        self.predicted += columns.shape[1]
        return np.broadcast_to(self.logit(*columns), columns.shape[1])[:, None]


def explanation_of(order_weights, field_weights, contributions, values=None, logit=None):
    """An explanation of one record of fields a, b, c, …."""
    contributions = np.array([contributions], "float64")
    m = contributions.shape[-1]
    return Explanation(
        tuple("abcdefghij"[:m]),
        np.array([values or ["1"] * m], object),
        logits=np.array([contributions.sum() if logit is None else logit]),
        bias=np.zeros(1),
        order_weights=np.array([order_weights]),
        field_weights=np.array([field_weights]),
        contributions=contributions,
    )


def equal_records(records):
    """An explanation of records of two fields that are all the same."""
    return Explanation(
        ("a", "b"),
        np.full((records, 2), "1", object),
        logits=np.zeros(records),
        bias=np.zeros(records),
        order_weights=np.full((records, 1), 1.0),
        field_weights=np.tile([[0.9, 0.1]], (records, 1, 1)),
        contributions=np.zeros((records, 1, 2)),
    )


def random_records(rng, records=9, k=2, m=4, **parts):
    """An explanation of records whose numbers are random."""
    contributions = rng.normal(size=(records, k, m)).astype("float32")
    return Explanation(
        tuple("abcdefghij"[:m]),
        rng.integers(0, 9, (records, m)).astype(str).astype(object),
        logits=contributions.sum(axis=(1, 2)) + np.float32(0.5),
        bias=np.full(records, 0.5, "float32"),
        order_weights=rng.dirichlet(np.ones(k), records).astype("float32"),
        field_weights=rng.dirichlet(np.ones(m), (records, k)).astype("float32"),
        contributions=contributions,
        **parts,
    )
