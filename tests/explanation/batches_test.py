import gc
import weakref

import keras
import numpy as np

from interhat_tf import InterHAt
from interhat_tf.explanation.attention_maps import mean_attention
from interhat_tf.explanation.batches import explain_batches, explain_inputs, in_batches
from interhat_tf.explanation.selection import where
from tests.explanation.made import SCHEMA, cut, make_inputs


def test_explains_only_what_the_condition_selects():
    model = made_model()
    inputs = make_inputs(40)
    condition = where(SCHEMA, f1=3, f3=0)
    explained = list(explain_batches(model, cut(inputs, 20, 20), condition))
    records = np.concatenate([selected["categorical"] for selected, _ in explained])
    mask = (inputs["categorical"][:, 0] == 3) & (inputs["categorical"][:, 2] == 0)
    np.testing.assert_array_equal(records, inputs["categorical"][mask])
    expected = model.explain({name: value[mask] for name, value in inputs.items()})
    for name in ("logits", "order_weights", "field_weights"):
        actual = np.concatenate([explanation[name] for _, explanation in explained])
        np.testing.assert_allclose(actual, expected[name], rtol=1e-5, atol=1e-6)


def test_compiles_once_and_sees_new_weights_and_frees_the_model():
    traces = []

    class Counting(InterHAt):
        def explain(self, inputs):
            traces.append(inputs["categorical"].shape)
            return super().explain(inputs)

    model = Counting(SCHEMA, order=2)
    inputs = make_inputs(9)
    before = mean_attention(model, cut(inputs, 4, 3, 2))
    model.set_weights([weight + 0.1 for weight in model.get_weights()])
    after = mean_attention(model, cut(inputs, 2, 3, 4))
    assert [tuple(shape) for shape in traces] == [(4, 3), (None, 3)]
    assert before.probability != after.probability
    expected = np.mean(keras.ops.convert_to_numpy(keras.ops.sigmoid(model(inputs))))
    np.testing.assert_allclose(after.probability, expected, rtol=1e-5)

    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_records_in_memory_are_explained_in_parts():
    model, inputs = made_model(), make_inputs(20)
    assert [len(part["categorical"]) for part in in_batches(inputs, 8)] == [8, 8, 4]
    parts = explain_inputs(model, inputs, batch_size=8, return_heads=True)
    whole = model.explain(inputs, return_heads=True)
    assert parts.keys() == whole.keys()
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-5, atol=1e-6)


def made_model():
    keras.utils.set_random_seed(1)
    return InterHAt(SCHEMA, order=2, embeddings_initializer="random_normal")
