"""What the tests of serving share."""

import numpy as np

from interhat_tf import InterHAt

OUTPUTS = ("probability", "order_weights", "field_weights")


def make_model(schema):
    return InterHAt(schema, embedding_dim=4, num_heads=2, attention_size=4, order=2)


def expected(model, inputs):
    explanation = model.explain(inputs)
    probability = 1 / (1 + np.exp(-np.asarray(explanation["logits"])))
    return {"probability": probability, **{n: explanation[n] for n in OUTPUTS[1:]}}


def assert_same(outputs, others):
    assert set(outputs) == set(OUTPUTS)
    for name in OUTPUTS:
        np.testing.assert_allclose(outputs[name], others[name], rtol=0, atol=1e-6)
