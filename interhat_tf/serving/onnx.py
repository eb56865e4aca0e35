"""Exports a model as an ONNX file, which engines without TensorFlow run."""

import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from interhat_tf.errors import SettingError
from interhat_tf.input_pipeline.prepared_records import PreparedRecords
from interhat_tf.schema import KINDS, NUMERICAL
from interhat_tf.serving.encoded_inputs import known_ids
from interhat_tf.serving.outputs import (
    PROBABILITY,
    Inputs,
    description,
    explained,
    inputs_of,
    predicted,
)
from interhat_tf.serving.raw_inputs import LISTS, TEXTS, RawInputs
from interhat_tf.utils.files import atomic_write

OPSET, ML_OPSET = 17, 3
MAX_BYTES = 2**31 - 1
"""Of a file: more does not fit into a message of Protocol Buffers."""
PREFIX = "interhat_tf/"
"""Before the names of all that is inside of a file, so that a column may have any name."""

Serve = Callable[..., dict[str, tf.Tensor]]


def export_onnx(
    model: Any,
    path: str | os.PathLike,
    data: PreparedRecords | None = None,
    *,
    explain: bool = True,
) -> None:
    """Writes an ONNX file, for ONNX Runtime and other engines without TensorFlow.

    It takes a tensor of shape (B,) for each column of the log, by the column's name: text as
    it is in the log, `""` where it is missing; numbers in the log's own units, float64, NaN
    where one is missing; dates and times as seconds since 1970 of the clock that the log
    has, float64; several values as (B, n) texts, each by itself, `""` where there is none. They
    become what `data.encode` makes of them: a value that is not in
    the vocabulary is unknown, a number beyond the training rows' is clipped. A record with
    an infinite number, which `encode` refuses, has the probability NaN.

    Without `data` it takes what the model does: `categorical`, (B, C) int32 ids, of which
    those out of their field's range are unknown, `numerical`, (B, N) scaled float32, and
    `multivalued`, (B, L) int32 ids, as far as the schema has such fields.

    The outputs are those of `export_saved_model`. The metadata tells `inputs`, what each
    is (JSON), `fields`, the fields in the reasons' order (JSON), `calibration`, and `format`,
    the number of the file's form. An ONNX file holds at most 2 GB.

    Args:
        model: A model with `schema`, and with `explain` or effects, unless reasons are
            not asked for.
        path: The file to write; it must not exist.
        data: The prepared set that the model was trained on, whose vocabularies and scales
            the file holds. Defaults to `None`: ids and scaled numbers.
        explain: Whether the reasons, weights and effects, are among the outputs,
            beside `probability`. Defaults to `True`.

    Raises:
        FileExistsError: If `path` exists.
        ImportError: If tf2onnx is not installed.
        ValueError: If the model was trained on another set, or a column has the name of an
            output, or is hashed, or the file would be larger than 2 GB.
    """
    try:
        import tf2onnx
    except ImportError as error:
        raise ImportError("export_onnx needs tf2onnx: pip install 'interhat_tf[onnx]'") from error

    path = pathlib.Path(path).expanduser()
    if path.exists():
        raise FileExistsError(f"{path} exists; choose another file for the exported model")
    inputs = inputs_of(model, data)
    if isinstance(inputs, RawInputs) and inputs.hashed:
        raise SettingError(
            f"the field {next(iter(inputs.hashed))!r} is hashed, for which ONNX has no operation; "
            f"export a SavedModel, or leave data out: the file then takes ids"
        )
    _check_size(model, inputs)
    answer = explained if explain else predicted
    serve, specs = (_of_arrays if data is None else _of_columns)(model, inputs, answer)
    function = tf.function(serve, input_signature=specs, autograph=False)
    graph, _ = tf2onnx.convert.from_function(
        function,
        input_signature=specs,
        opset=OPSET,
        custom_op_handlers={"Log": (_as_it_is, [])},
    )
    if data is not None:
        graph = _with_columns(graph, inputs)
    for key, value in description(model, inputs).items():
        graph.metadata_props.add(key=key, value=value)
    with atomic_write(path) as file:
        file.write(graph.SerializeToString())


def _check_size(model: Any, inputs: Inputs) -> None:
    """Raises an error if weights and vocabularies alone are too large for a file."""
    texts = sum(len(text.encode()) for ids in inputs.ids.values() for text in ids)
    size = 4 * model.count_params() + texts
    if size > MAX_BYTES:
        raise SettingError(
            f"an ONNX file holds at most 2 GB, and the model's weights and vocabularies have "
            f"{size / 1e9:.1f} GB; export a SavedModel"
        )


def _of_arrays(model: Any, inputs: Inputs, answer: Serve) -> tuple[Serve, list[tf.TensorSpec]]:
    """Returns a function of the model's own inputs."""
    specs = [
        tf.TensorSpec((None, len(columns)), KINDS[kind], name=kind)
        for kind, columns in model.schema.columns.items()
    ]

    def serve(*arrays):
        batch = {spec.name: array for spec, array in zip(specs, arrays, strict=True)}
        known = {k: known_ids(model.schema, batch[k], k) for k in batch if k != NUMERICAL}
        return answer(model, {**batch, **known})

    return serve, specs


def _of_columns(model: Any, inputs: Inputs, answer: Serve) -> tuple[Serve, list[tf.TensorSpec]]:
    """Returns a function of a log's columns, of ids in place of texts."""
    specs = [
        tf.TensorSpec(
            (None, None) if kind == LISTS else (None,),
            tf.int64 if kind in (TEXTS, LISTS) else tf.float64,
            name=f"column_{i}",
        )
        for i, kind in enumerate(inputs.kinds.values())
    ]

    def serve(*arrays):
        values = dict(zip(inputs.kinds, arrays, strict=True))
        refused = list(inputs.refused(values).values())
        values |= {name: tf.cast(values[name], tf.int32) for name in inputs.ids}
        outputs = answer(model, inputs.encode(values))
        if refused:
            wrong = tf.reduce_any(tf.stack(refused, axis=1), axis=1)  # (B,)
            nothing = tf.constant(np.nan, outputs[PROBABILITY].dtype)
            outputs[PROBABILITY] = tf.where(wrong, nothing, outputs[PROBABILITY])
        return outputs

    return serve, specs


def _as_it_is(context: Any, node: Any, name: str, arguments: list[Any]) -> Any:
    """Lets tf2onnx keep an operation as it is.

    tf2onnx casts a logarithm's float64 to float32. Where a number varies little, as seconds
    since 1970 do, all that it varies is lost so; ONNX Runtime takes logarithms of float64.
    """
    return node


def _with_columns(graph: Any, inputs: Inputs) -> Any:
    """Returns a graph whose inputs are a log's columns, by their names, texts among them."""
    import onnx

    outputs = [output.name for output in graph.graph.output]
    graph = onnx.compose.add_prefix(graph, PREFIX, rename_outputs=False)
    nodes, columns = [], []
    for given, (name, kind) in zip(graph.graph.input, inputs.kinds.items(), strict=True):
        if name in outputs:
            raise SettingError(
                f"the column {name!r} has the name of an output; prepare the log with another name"
            )
        if kind in (TEXTS, LISTS):
            type_ = onnx.TensorProto.STRING
            nodes.append(_lookup(onnx, name, given.name, inputs.ids[name]))
        else:
            type_ = onnx.TensorProto.DOUBLE
            nodes.append(onnx.helper.make_node("Identity", [name], [given.name]))
        shape = ["records", f"values of {name}"] if kind == LISTS else ["records"]
        columns.append(onnx.helper.make_tensor_value_info(name, type_, shape))
    _replace(graph.graph.input, columns)
    _replace(graph.graph.node, [*nodes, *graph.graph.node])
    graph.opset_import.add(domain="ai.onnx.ml", version=ML_OPSET)
    onnx.checker.check_model(graph)
    return graph


def _lookup(onnx: Any, name: str, output: str, ids: dict[str, int]) -> Any:
    """Returns the node that makes ids of texts, of any shape, 0 of those that have none."""
    return onnx.helper.make_node(
        "LabelEncoder",
        [name],
        [output],
        domain="ai.onnx.ml",
        keys_strings=list(ids) or [""],
        values_int64s=list(ids.values()) or [0],
        default_int64=0,
    )


def _replace(repeated: Any, items: Sequence[Any] | Iterable[Any]) -> None:
    items = list(items)
    del repeated[:]
    repeated.extend(items)
