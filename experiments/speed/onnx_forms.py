"""Whether an exported ONNX file can be made faster by what ONNX Runtime offers.

    python -m experiments.speed.onnx_forms

Exports an InterHAt, `released`, of Criteo's sizes, writes the file in the forms of `FORMS`,
and asks them in turn for the same records, with as many threads as there are cores and with one.
Its weights are random, biases among them: the exporter leaves out what is zero. Writes
`speed/onnx_forms.json` among the results. About three minutes on 2 cores, with nothing else
running.
"""

import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
from absl import flags
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16
from tqdm.auto import tqdm

from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from interhat_tf.models import InterHAt
from interhat_tf.schema import CATEGORICAL
from interhat_tf.serving import export_onnx
from interhat_tf.utils.threads import number_of_threads

CALLS = {1: 500, 100: 100, 2048: 20}
OPSET_OF_ATTENTION = 23

FORM_SIZE = flags.DEFINE_enum("form_size", "criteo", list(SIZES), "whose sizes the records have")

Rewrite = Callable[[onnx.ModelProto, InterHAt], onnx.ModelProto]


def main(_):
    schema = schema_of(SIZES[FORM_SIZE.value])
    model = InterHAt.from_preset("released", schema, dataset=FORM_SIZE.value)
    move_weights(model)
    with tempfile.TemporaryDirectory() as folder:
        files = write_forms(model, pathlib.Path(folder))
        rows = [
            {"threads": threads, **row}
            for threads in sorted({1, number_of_threads()})
            for n, calls in CALLS.items()
            for row in ask_in_turn(files, model.schema, n, calls, threads)
        ]
    columns = ["threads", "form", "records", "p50", "times_faster", "largest_error", "megabytes"]
    cells = [[f"{row[c]:.3g}" if c != "form" else row[c] for c in columns] for row in rows]
    print(markdown_table(columns, cells))
    calls = {str(records): calls for records, calls in CALLS.items()}
    about = {"size": FORM_SIZE.value, "calls": calls}
    write_result("speed/onnx_forms.json", record("onnxruntime", "onnx", **about, rows=rows))


def move_weights(model: keras.Model) -> None:
    """Moves a model's weights a little at random, biases of zero among them."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign_add(rng.normal(0, 0.05, weight.shape))


def write_forms(model: InterHAt, folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the files that it writes, as exported and in other forms."""
    files = {name: folder / f"{i}.onnx" for i, name in enumerate(FORMS)}
    exported = folder / "exported.onnx"
    export_onnx(model, exported, explain=False)
    for name, rewrite in FORMS.items():
        onnx.save(rewrite(onnx.load(exported), model), files[name])
    return files


def ask_in_turn(
    files: dict[str, pathlib.Path], schema: Any, records: int, calls: int, threads: int
) -> list[dict[str, Any]]:
    """Returns how long each file takes to answer, how much faster than as exported, and its error.

    The ratio is the median over the rounds, in each of which all files are asked.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    # Or the threads of a session that waits would take the cores of the one that is asked.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    sessions = {name: onnxruntime.InferenceSession(file, options) for name, file in files.items()}
    inputs, _ = next(iter(batches_of(schema, records, batches=1)))
    ids = {CATEGORICAL: inputs[CATEGORICAL].numpy()}
    seconds = np.zeros((calls + 1, len(sessions)))
    answers = {}
    for i in tqdm(range(calls + 1), desc=f"{records:,} records", disable=None):
        for j, (name, session) in enumerate(sessions.items()):
            start = time.perf_counter()
            (answers[name],) = session.run(["probability"], ids)
            seconds[i, j] = time.perf_counter() - start
    seconds = seconds[1:]  # the first call warms up
    plain = answers[AS_EXPORTED]
    return [
        {
            "form": name,
            "records": records,
            "p50": float(np.median(seconds[:, j])),
            "times_faster": float(np.median(seconds[:, 0] / seconds[:, j])),
            "largest_error": float(np.abs(answers[name] - plain).max()),
            "megabytes": files[name].stat().st_size / 1e6,
        }
        for j, name in enumerate(sessions)
    ]


def as_exported(exported: onnx.ModelProto, model: InterHAt) -> onnx.ModelProto:
    """Returns the file as it is."""
    return exported


def of_onnx_runtime(exported: onnx.ModelProto, model: InterHAt) -> onnx.ModelProto:
    """Returns the file with ONNX Runtime's own operation for self-attention."""
    domain, heads = "com.microsoft", model.attention.num_heads
    _fuse(exported.graph, model, "MultiHeadAttention", domain=domain, num_heads=heads)
    exported.opset_import.add(domain=domain, version=1)
    return exported


def of_onnx(exported: onnx.ModelProto, model: InterHAt) -> onnx.ModelProto:
    """Returns the file with the operation for self-attention that ONNX has since version 23."""
    heads = model.attention.num_heads
    _fuse(exported.graph, model, "Attention", q_num_heads=heads, kv_num_heads=heads)
    (opset,) = (o for o in exported.opset_import if not o.domain)
    opset.version = OPSET_OF_ATTENTION
    exported.ir_version = max(exported.ir_version, 10)
    return exported


def _fuse(graph: onnx.GraphProto, model: InterHAt, operation: str, **arguments: Any) -> None:
    """Puts one operation in the place of all between the projections of self-attention.

    It takes queries, keys and values, and gives what the heads make of them, each (B, m, h d_K).
    """
    made = {output: node for node in graph.node for output in node.output}
    (softmax,) = (
        node
        for node in graph.node
        if node.op_type == "Softmax"
        and (scores := made[node.input[0]]).op_type == "MatMul"
        and all(made[given].op_type == "Transpose" for given in scores.input)
    )
    readers = {given: node for node in graph.node for given in node.input}
    scores, mixed = made[softmax.input[0]], readers[softmax.output[0]]
    dead, sources = [scores, softmax, mixed], []
    for tensor in (*scores.input, mixed.input[1]):
        while (node := made[tensor]).op_type in ("Transpose", "Reshape", "Mul"):
            dead.append(node)
            tensor = node.input[0]
        sources.append(tensor)  # (B m, h d_K)
    transposed = readers[mixed.output[0]]
    joined = readers[transposed.output[0]]  # which makes (B m, h d_K) of the heads
    dead += [transposed, joined]
    layer = model.attention
    shape = [-1, len(model.schema.fields), layer.num_heads * layer.key_dim]
    graph.initializer.append(numpy_helper.from_array(np.array(shape), "of_heads"))
    names = ["queries", "keys", "values"]
    new = [
        helper.make_node("Reshape", [source, "of_heads"], [name])  # (B, m, h d_K)
        for source, name in zip(sources, names, strict=True)
    ]
    arguments["scale"] = layer.key_dim**-0.5
    new.append(helper.make_node(operation, names, ["attended"], **arguments))
    new.append(helper.make_node("Reshape", ["attended", joined.input[1]], [joined.output[0]]))
    kept = []
    for node in graph.node:
        if node == mixed:
            kept += new
        elif node not in dead:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def eight_bits(exported: onnx.ModelProto, model: InterHAt) -> onnx.ModelProto:
    """Returns the file with products of 8 bits, whose inputs are scaled as they come."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "eight_bits.onnx"
        quantize_dynamic(exported, file, weight_type=QuantType.QInt8)
        return onnx.load(file)


def half_precision(exported: onnx.ModelProto, model: InterHAt) -> onnx.ModelProto:
    """Returns the file with weights and operations in float16."""
    return convert_float_to_float16(exported, keep_io_types=True)


AS_EXPORTED = "as exported"
FORMS: dict[str, Rewrite] = {
    AS_EXPORTED: as_exported,
    "self-attention as `MultiHeadAttention` of ONNX Runtime": of_onnx_runtime,
    "self-attention as `Attention` of ONNX": of_onnx,
    "products of 8 bits": eight_bits,
    "float16": half_precision,
}

if __name__ == "__main__":
    run_program(main)
