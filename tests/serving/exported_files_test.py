"""Tests that no exported file asks for the CPU kernels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import Adam, InterHAt
from interhat_tf.explanation.batches import explain_inputs
from interhat_tf.serving import export_onnx, export_saved_model
from tests.conftest import random_batch


def exported_files(model, batch, folder):
    """Returns what each way of exporting a model writes, as bytes by its name."""
    specs = {kind: tf.TensorSpec((None, *v.shape[1:]), v.dtype) for kind, v in batch.items()}
    export_saved_model(model, folder / "ours")
    export_onnx(model, folder / "model.onnx")
    model.export(folder / "keras", verbose=False)
    tf.saved_model.save(model, str(folder / "tensorflow"))
    module = tf.Module()
    module.model = model
    signature = tf.function(lambda inputs: model(inputs)).get_concrete_function(specs)
    tf.saved_model.save(module, str(folder / "signature"), signature)
    paths = {name: folder / name / "saved_model.pb" for name in ("ours", "keras", "tensorflow")}
    paths |= {"signature": folder / "signature/saved_model.pb", "onnx": folder / "model.onnx"}
    return {name: path.read_bytes() for name, path in paths.items()}


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "released"])
def test_no_exported_file_holds_a_kernel_that_its_reader_lacks(schema, rng, tmp_path, preset):
    model = InterHAt.from_preset(preset, schema, num_heads=2, order=2)
    batch, labels = random_batch(schema, rng, 8), np.arange(8) % 2
    model.compile(Adam(), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    model.fit(batch, labels, verbose=0)
    model.evaluate(batch, labels, verbose=0)
    model.predict(batch, verbose=0)
    explain_inputs(model, batch)
    model(batch)
    for name, written in exported_files(model, batch, tmp_path).items():
        assert b"Interhat" not in written, name
