"""What a training step computes and moves, counted on its graph: operations and bytes."""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.ops.handle_data_util import get_resource_handle_data

FREE = {
    *("Const", "ExpandDims", "Identity", "IdentityN", "NoOp", "Placeholder", "PreventGradient"),
    *("ReadVariableOp", "Reshape", "Shape", "Squeeze", "StopGradient", "ResourceGather"),
}
"""Operations that move nothing, or whose bytes are counted differently."""

PRODUCTS = {
    "InterhatAttention": (2, 0, 0),
    "InterhatAttentionGradient": (5, 0, 0),
    "InterhatSelfAttention": (2, 3, 1),
    # Queries are projected twice, once for each layout; then 3 gradients of weights, 3 of inputs.
    # With W_m, head outputs are computed again, and its gradient twice, for each layout.
    "InterhatSelfAttentionGradient": (5, 10, 3),
}
"""Products of the attention kernels: of every head's map, of its projections, with W_m."""
# The gradient projects twice, to pool once more and to pull back; then it is that of W and of X.
HIERARCHIES = {
    "InterhatHierarchy": 1,
    "InterhatHierarchyGradient": 4,
    "InterhatNormalizedHierarchy": 1,
    "InterhatNormalizedHierarchyGradient": 3,  # it projects once
}
"""Products of an order's features and its W, (m, d) and (d, s) for each record."""
RECURRENCES = {"InterhatAugru": 1, "InterhatAugruGradient": 3}
"""Products of a step's value and W, and of the state before and U, for each value."""
PAIRS = {"InterhatInnerProducts": 1, "InterhatInnerProductsGradient": 2}
"""Products of the vectors of each pair; with weights, the gradient has those forward again."""
CALLS = {"PartitionedCall": "f", "While": "body"}
"""Operations that run a function, and the attribute that names it; a loop counts as one round."""


def cost(function: Callable[..., Any], *specs: Any, fields: int) -> dict[str, int]:
    """Counts what a function does on inputs of known shapes.

    Bytes are those that each single operation reads and writes; what a
    compiler fuses moves fewer. They are the bytes of TensorFlow's operations
    as they stand, not a lower bound.

    Args:
        function: A `tf.function`.
        *specs: `tf.TensorSpec`s of its arguments, or structures of them.
        fields: Number m of the records' fields.

    Returns:
        Dictionary of `operations`, how many there are; `flops`, the additions and
        multiplications of its matrix products; `bytes`; and `map_bytes`, those of them
        that are numbers about pairs of fields, tensors of shape (..., m, m).
    """
    operations = list(_operations(function.get_concrete_function(*specs).graph))
    maps = [
        _nbytes(tensor)
        for operation in operations
        if operation.type not in FREE
        for tensor in (*operation.inputs, *operation.outputs)
        if tensor.shape.rank and list(tensor.shape)[-2:] == [fields, fields]
    ]
    return {
        "operations": sum(operation.type not in FREE for operation in operations),
        "flops": sum(map(_flops, operations)),
        "bytes": sum(map(_bytes, operations)),
        "map_bytes": sum(maps),
    }


def _operations(graph):
    """Yields the operations that a graph's results need, and those of functions it calls, once."""
    needed, waiting = set(), [*(tensor.op for tensor in graph.outputs), *graph.control_outputs]
    while waiting:
        operation = waiting.pop()
        if operation not in needed:
            needed.add(operation)
            waiting += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    for operation in needed:
        calls = [attribute for kind, attribute in CALLS.items() if kind in operation.type]
        if calls:
            called = operation.get_attr(calls[0]).name
            yield from _operations(graph._get_function(called).graph)
        else:
            yield operation


def _flops(operation):
    if operation.type in ("MatMul", "BatchMatMulV2"):
        shape = operation.inputs[0].shape
        transposed = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
        inner = shape[-2] if transposed else shape[-1]
        return 2 * (inner or 0) * _size(operation.outputs[0])
    if operation.type in PRODUCTS:
        of_maps, of_projections, of_outputs = PRODUCTS[operation.type]
        inputs = operation.inputs[0]  # (B, m, d), or the queries, (B, m, h * d_K)
        if not inputs.shape.is_fully_defined():
            return 0
        records, fields, dim = inputs.shape
        width = operation.inputs[1].shape[-1] if of_projections else dim
        outputs = operation.inputs[7].shape[-1] if of_outputs else 0
        again = outputs > 0 and "Gradient" in operation.type
        inner = (of_maps + again) * fields + of_projections * dim + of_outputs * outputs
        return 2 * records * fields * width * inner
    if operation.type in RECURRENCES:
        values, _, kernel, recurrent_kernel, *_ = operation.inputs  # (B, L, d), (d, 3 n), (n, 3 n)
        steps = _size(values) // (values.shape[-1] or 1)
        products = _size(kernel) + _size(recurrent_kernel)
        return 2 * RECURRENCES[operation.type] * steps * products
    if operation.type in HIERARCHIES:
        features, kernels = operation.inputs[:2]  # (B, m, d), (k, d, s)
        rows = _size(features) // (features.shape[-1] or 1)
        return 2 * HIERARCHIES[operation.type] * rows * _size(kernels)
    if operation.type in PAIRS:
        fields, weights = operation.inputs[:2]  # (B, m, d), (B, m) or (0, 0)
        again = "Gradient" in operation.type and weights.shape[1] > 0
        of_others = fields.shape[1] - 1
        return (PAIRS[operation.type] + again) * _size(fields) * of_others
    return 0


def _bytes(operation):
    if operation.type == "ResourceGather":
        return 2 * sum(map(_nbytes, operation.outputs))
    if operation.type == "ResourceApplyAdam":
        # The gradient, the variable and two moments are read, the last three written.
        return 7 * _nbytes(operation.inputs[-1])
    if operation.type == "InterhatTableAdam":
        (table,) = get_resource_handle_data(operation.inputs[0]).shape_and_type
        size = math.prod(dim.size for dim in table.shape.dim)
        values = sum(map(_nbytes, operation.inputs))
        # The table, two moments and an average, if there is one, are read and written.
        passes = 2 * operation.get_attr("count")
        return passes * tf.as_dtype(table.dtype).size * size + values
    if operation.type in FREE:
        return 0
    return sum(map(_nbytes, [*operation.inputs, *operation.outputs]))


def _nbytes(tensor):
    return 0 if tensor.dtype == tf.resource else tensor.dtype.size * _size(tensor)


def _size(tensor):
    return math.prod(tensor.shape) if tensor.shape.is_fully_defined() else 0
