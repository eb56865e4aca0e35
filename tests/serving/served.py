"""What the tests of serving share."""

import numpy as np

from interhat_tf import InterHAt

OUTPUTS = ("probability", "order_weights", "field_weights")


def make_model(schema):
    return InterHAt(schema, embedding_dim=4, num_heads=2, attention_size=4, order=2)


def expected(model, inputs):
    explanation = model.explain(inputs)
    return with_unknown(chosen(explanation, OUTPUTS[1:]), inputs)


def with_unknown(outputs, inputs):
    """Adds the share of each record's ids that are 0, if there are ids."""
    if "categorical" not in inputs:
        return outputs
    return {**outputs, "unknown_share": (np.asarray(inputs["categorical"]) == 0).mean(axis=1)}


def chosen(explanation, reasons):
    """The outputs that an exported model should have, of its own explanation."""
    probability = 1 / (1 + np.exp(-np.asarray(explanation["logits"])))
    return {"probability": probability, **{name: explanation[name] for name in reasons}}


def assert_same(outputs, others, tolerance=1e-6):
    assert set(outputs) == set(others)
    for name, values in others.items():
        np.testing.assert_allclose(outputs[name], values, rtol=0, atol=tolerance, err_msg=name)
