"""Exports a model as an ONNX file, which engines without TensorFlow run."""

import os
import pathlib
from typing import Any

import tensorflow as tf

from interhat_tf.schema import CATEGORICAL, NUMERICAL
from interhat_tf.serving.outputs import calibration_of, explained, predicted
from interhat_tf.utils.files import atomic_write


def export_onnx(model: Any, path: str | os.PathLike, explain: bool = True) -> None:
    """Writes an ONNX file, for ONNX Runtime and other engines without TensorFlow.

    Its inputs are the model's own, `categorical`, (B, C) int32 ids, and
    `numerical`, (B, N) floats, as far as the schema has such fields; its outputs
    are those of `export_saved_model`. It has no vocabularies: the ids are what
    `PreparedDataset.encode` returns, and must be in their ranges. Its metadata says
    under `calibration` how probabilities were calibrated. An ONNX file holds at most
    2 GB.

    Args:
        model: A model with `schema`, and with `explain` or effects, unless reasons are
            not asked for.
        path: The file to write; it must not exist.
        explain: Whether the reasons, weights and effects, are among the outputs,
            beside `probability`. Defaults to `True`.

    Raises:
        FileExistsError: If `path` exists.
        ImportError: If tf2onnx is not installed.
    """
    try:
        import tf2onnx
    except ImportError as error:
        raise ImportError("export_onnx needs tf2onnx: pip install 'interhat_tf[onnx]'") from error

    path = pathlib.Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists; choose another file for the exported model")
    kinds = [
        (CATEGORICAL, model.schema.categorical, tf.int32),
        (NUMERICAL, model.schema.numerical, tf.float32),
    ]
    specs = [
        tf.TensorSpec((None, len(fields)), dtype, name=kind)
        for kind, fields, dtype in kinds
        if fields
    ]

    @tf.function(input_signature=specs)
    def serve(*arrays):
        inputs = {spec.name: array for spec, array in zip(specs, arrays, strict=True)}
        return explained(model, inputs) if explain else predicted(model, inputs)

    graph, _ = tf2onnx.convert.from_function(serve, input_signature=specs, opset=17)
    graph.metadata_props.add(key="calibration", value=calibration_of(model))
    with atomic_write(path) as file:
        file.write(graph.SerializeToString())
