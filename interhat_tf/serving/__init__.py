"""Exports a model for serving: a SavedModel that takes fields by name, or an ONNX file."""

from interhat_tf.serving.onnx import export_onnx
from interhat_tf.serving.saved_model import export_saved_model, input_names

__all__ = ["export_onnx", "export_saved_model", "input_names"]
