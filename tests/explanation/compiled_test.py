import gc
import weakref

import keras
import numpy as np

from interhat_tf import InterHAt
from interhat_tf.explanation import attributions
from interhat_tf.explanation.compiled import compiled


def test_a_function_is_compiled_once_for_a_key():
    model = keras.Sequential([keras.layers.Dense(1)])
    calls = []

    def twice(model, values):
        calls.append(model)
        return 2 * values

    for _ in range(3):
        assert compiled(model, "twice", twice)(np.float32(4)) == 8
    assert calls == [model]
    assert compiled(model, "other", lambda model, values: values)(np.float32(4)) == 4


def test_functions_do_not_keep_their_model():
    model = keras.Sequential([keras.layers.Dense(1)])
    compiled(model, "twice", lambda model, values: 2 * values)(np.float32(4))
    left = weakref.ref(model)
    del model
    gc.collect()
    assert left() is None


def test_gradients_are_traced_once_a_model(schema, batch, monkeypatch):
    traced = []
    forward = InterHAt.predict_embedded
    monkeypatch.setattr(
        InterHAt,
        "predict_embedded",
        lambda model, fields: traced.append(model) or forward(model, fields),
    )
    model = InterHAt(schema)
    for _ in range(3):
        attributions.gradient_times_input(model, batch)
        attributions.integrated_gradients(model, batch, batch, steps=2)
    assert traced == [model]
