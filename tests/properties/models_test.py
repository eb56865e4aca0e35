"""Models of any arguments: what is saved is what is loaded."""

import pathlib
import tempfile

import keras
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from interhat_tf import Field, InterHAt, Schema
from tests.conftest import random_batch
from tests.numpy_reference import randomise
from tests.properties import some


def may_be_asked_for(chosen):
    """Returns whether what needs values has them."""
    return chosen["value_dim"] or not (chosen["shared_values"] or chosen["pair_values"])


fields = st.lists(st.integers(0, 6), min_size=1, max_size=4)  # vocabulary sizes; 0 is a number
arguments = st.fixed_dictionaries(
    {
        "embedding_dim": st.integers(1, 6),
        "num_heads": st.integers(1, 3),
        "key_dim": st.none() | st.integers(1, 4),
        "attention_size": st.integers(1, 4),
        "order": st.integers(1, 3),
        "self_attention": st.booleans(),
        "attention_activation": st.sampled_from(["relu", None, "tanh"]),
        "attention_bias": st.booleans(),
        "residual": st.booleans(),
        "gated_attention": st.booleans(),
        "score_batch_norm": st.none() | st.booleans(),
        "value_dim": st.none() | st.integers(1, 5),
        "shared_values": st.booleans(),
        "pair_values": st.booleans(),
        "mlp_units": st.none() | st.lists(st.integers(1, 5), max_size=2),
        "mlp_batch_norm": st.none() | st.booleans(),
        "contribution_base": st.sampled_from([None, "zero", "average"]),
        "dropout": st.sampled_from([0.0, 0.5]),
        "embedding_l2": st.sampled_from([0.0, 1e-3]),
    }
).filter(may_be_asked_for)


@some(0.3)
@given(sizes=fields, arguments=arguments)
def test_a_model_is_what_was_saved(sizes, arguments):
    schema = Schema(
        Field(f"f{i}", "categorical", size) if size else Field(f"f{i}", "numerical")
        for i, size in enumerate(sizes)
    )
    model = randomise(InterHAt(schema, **arguments))
    batch = random_batch(schema, np.random.default_rng(0), rows=5)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.saving.load_model(path)
    assert loaded.get_config() == model.get_config()
    for weight, other in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, other)
    expected, found = model.explain(batch), loaded.explain(batch)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    total = np.sum(found["contributions"], axis=(1, 2)) + found["bias"]
    np.testing.assert_allclose(total, found["logits"], rtol=1e-4, atol=1e-4)
