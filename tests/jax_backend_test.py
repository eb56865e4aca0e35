"""The layers and models on Keras' JAX backend, held against TensorFlow's outputs.

Keras has one backend a process, so the test runs this file as a program in a
fresh one: the same outputs are computed there from the same configurations,
weights and inputs.
"""

import sys

import keras
import numpy as np
import pytest

from interhat_tf import CrossedField, Field, InterHAt, Schema, layers

FIELDS = np.random.default_rng(0).normal(size=(6, 4, 5)).astype("float32")
BATCH = {
    "categorical": np.array([[0, 1], [6, 2], [3, 3], [3, 0], [5, 1], [1, 2]]),
    "numerical": FIELDS[:, :2, 0],
}


def build():
    """Returns every layer and both presets, built, by name."""
    schema = Schema(
        [
            Field("app", "categorical", 7),
            Field("site", "categorical", 4),
            Field("price", "numerical"),
            Field("age", "numerical"),
        ]
    )
    crosses = [CrossedField(("app", "site"), [[6, 2], [3, 3], [1, 2]])]
    released = {"activation": "relu", "use_bias": True, "residual": True, "layer_norm": True}
    parts = {
        "embedding": layers.FieldEmbedding((7, 4), 2, embedding_dim=5),
        "embedding_with_more": layers.FieldEmbedding(
            (7, 4), 2, embedding_dim=5, missing_numbers=True, frozen=[(0, 5), (1, 3)]
        ),
        "attention_paper": layers.MultiHeadSelfAttention(2, 3),
        "attention_released": layers.MultiHeadSelfAttention(2, 3, **released),
        "feed_forward_paper": layers.FeedForward(),
        "feed_forward_released": layers.FeedForward(8),
        "aggregation": layers.AttentionalAggregation(4, use_bias=True),
        "cross": layers.CrossLayer(),
        "paper": InterHAt.from_preset("paper", schema, order=2),
        "released": InterHAt.from_preset("released", schema.with_crosses(crosses), order=2),
    }
    for name, part in parts.items():
        if name.startswith("embedding"):
            part.build()
        elif not isinstance(part, InterHAt | layers.CrossLayer):  # built already, and weightless
            part.build(FIELDS.shape)
    return parts


def call(part):
    """Returns a layer's or model's outputs as a flat list of arrays."""
    if keras.backend.backend() == "jax":
        import jax

        # One compilation instead of one for each small operation.
        outputs = jax.jit(lambda: compute(part))()
    else:
        outputs = compute(part)
    return [np.asarray(output) for output in keras.tree.flatten(outputs)]


def compute(part):
    """Returns a layer's or model's outputs, whatever it is."""
    if isinstance(part, InterHAt):
        return part.explain(BATCH, return_heads=True)
    if isinstance(part, layers.FieldEmbedding):
        return part(BATCH)
    if isinstance(part, layers.CrossLayer):
        return part(FIELDS[:, 0], FIELDS, FIELDS)
    if isinstance(part, layers.MultiHeadSelfAttention):
        return part(FIELDS, return_attention=True)
    return part(FIELDS)


@pytest.mark.slow
def test_jax_agrees_with_tensorflow(tmp_path):
    from tests.conftest import run_python
    from tests.numpy_reference import randomise

    parts = build()
    weights = {
        f"{name}/{i}": values
        for name, part in parts.items()
        for i, values in enumerate(randomise(part).get_weights())
    }
    np.savez(tmp_path / "weights.npz", **weights)
    run_python("-m", "tests.jax_backend_test", tmp_path, KERAS_BACKEND="jax")
    on_jax = np.load(tmp_path / "outputs.npz")
    for name, part in parts.items():
        for i, expected in enumerate(call(part)):
            np.testing.assert_allclose(
                on_jax[f"{name}/{i}"], expected, rtol=1e-5, atol=1e-5, err_msg=name
            )


def main(folder):
    """Computes on JAX what the test computed on TensorFlow."""
    assert keras.backend.backend() == "jax"
    # Checked before any layer is built, as Keras' own serialisation imports what is installed.
    assert "tensorflow" not in sys.modules, "importing interhat_tf imported TensorFlow"
    parts, weights = build(), np.load(f"{folder}/weights.npz")
    outputs = {}
    for name, part in parts.items():
        part.set_weights([weights[f"{name}/{i}"] for i in range(len(part.weights))])
        outputs |= {f"{name}/{i}": output for i, output in enumerate(call(part))}
    np.savez(f"{folder}/outputs.npz", **outputs)


if __name__ == "__main__":
    main(sys.argv[1])
