"""Answers requests as TensorFlow Serving's REST interface does, without its server.

    python session_server.py FOLDER < requests > answers

TensorFlow's C++ loads the SavedModel and runs it, here by its C interface, as in the server. A line
is a request's body, a line of the answers its outputs, or `{"error": message, "code": code}`. JSON
becomes tensors by the rules of the server's source (`util/json_tensor.cc`): numbers may be NaN and
infinite; a text is no number, and null is neither; `inputs` is an object of columns, of which those
that the signature lacks are passed over; `instances` is a list of records with exactly the
signature's inputs.
"""

import ctypes
import json
import pathlib
import sys

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

INVALID_ARGUMENT = 3
"""TensorFlow's code of what the server answers with status 400."""
KINDS = {tf.string.as_datatype_enum: str, tf.float64.as_datatype_enum: float}

C = ctypes.CDLL(str(pathlib.Path(tf.__file__).parent / "libtensorflow_cc.so.2"))
P = ctypes.c_void_p
for name in (
    *("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_NewBuffer", "TF_TensorData"),
    *("TF_LoadSessionFromSavedModel", "TF_AllocateTensor", "TF_GraphOperationByName"),
):
    getattr(C, name).restype = P
C.TF_Message.restype = ctypes.c_char_p
C.TF_Dim.restype = ctypes.c_int64


class Refused(Exception):
    """A request that is answered with an error; the arguments are its message and its code."""


class Buffer(ctypes.Structure):
    """TF_Buffer: serialised bytes."""

    _fields_ = [("data", P), ("length", ctypes.c_size_t), ("deallocator", P)]


class Output(ctypes.Structure):
    """TF_Output: a tensor of a graph."""

    _fields_ = [("operation", P), ("index", ctypes.c_int)]


class Session:
    """A SavedModel as the server holds it.

    Args:
        folder: The SavedModel's folder.
    """

    def __init__(self, folder):
        self.status, self.graph = P(C.TF_NewStatus()), P(C.TF_NewGraph())
        found = Buffer()
        tags = (ctypes.c_char_p * 1)(b"serve")
        options = P(C.TF_NewSessionOptions())
        self.session = P(
            C.TF_LoadSessionFromSavedModel(
                options,
                None,
                str(folder).encode(),
                tags,
                1,
                self.graph,
                ctypes.byref(found),
                self.status,
            )
        )
        self.check()
        content = ctypes.string_at(found.data, found.length)
        self.signatures = meta_graph_pb2.MetaGraphDef.FromString(content).signature_def

    def check(self):
        if code := C.TF_GetCode(self.status):
            raise Refused(C.TF_Message(self.status).decode(), code)

    def place(self, tensor_name):
        operation, _, index = tensor_name.partition(":")
        return Output(C.TF_GraphOperationByName(self.graph, operation.encode()), int(index))

    def run(self, signature, columns):
        """Returns the outputs of a signature for arrays of its inputs."""
        names = list(columns)
        inputs = [self.place(signature.inputs[name].name) for name in names]
        given = [self.tensor(columns[name]) for name in names]
        outputs = [self.place(info.name) for info in signature.outputs.values()]
        found = (P * len(outputs))()
        C.TF_SessionRun(
            *(
                self.session,
                None,
                (Output * len(inputs))(*inputs),
                (P * len(given))(*given),
                len(given),
            ),
            *((Output * len(outputs))(*outputs), found, len(outputs), None, 0, None, self.status),
        )
        for tensor in given:
            C.TF_DeleteTensor(P(tensor))
        self.check()
        return dict(zip(signature.outputs, map(self.array, found), strict=True))

    @staticmethod
    def tensor(values):
        """Returns a tensor of texts or of float64."""
        shape = (ctypes.c_int64 * values.ndim)(*values.shape)
        text = values.dtype == object
        kind = tf.string.as_datatype_enum if text else tf.float64.as_datatype_enum
        width = 24 if text else 8  # TF_TString
        tensor = C.TF_AllocateTensor(kind, shape, values.ndim, ctypes.c_size_t(width * values.size))
        data = C.TF_TensorData(P(tensor))
        if not text:
            ctypes.memmove(data, np.ascontiguousarray(values).ctypes.data, 8 * values.size)
            return tensor
        for i, value in enumerate(values.ravel()):
            encoded, one = value.encode(), P(data + width * i)
            C.TF_StringInit(one)
            C.TF_StringCopy(one, encoded, ctypes.c_size_t(len(encoded)))
        return tensor

    @staticmethod
    def array(tensor):
        """Returns a tensor of float32 as an array."""
        tensor = P(tensor)
        assert C.TF_TensorType(tensor) == tf.float32.as_datatype_enum
        shape = [C.TF_Dim(tensor, axis) for axis in range(C.TF_NumDims(tensor))]
        values = ctypes.string_at(C.TF_TensorData(tensor), 4 * int(np.prod(shape)))
        C.TF_DeleteTensor(tensor)
        return np.frombuffer(values, np.float32).reshape(shape)


def answer(session, body):
    """Returns what a request's body is answered with."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise Refused(f"JSON Parse error: {error}", INVALID_ARGUMENT) from error
    signature = session.signatures.get(request.get("signature_name", "serving_default"))
    if signature is None:
        raise Refused("Failed to get input map for signature", INVALID_ARGUMENT)
    if ("inputs" in request) == ("instances" in request):
        raise Refused("expecting one of 'inputs' and 'instances'", INVALID_ARGUMENT)
    columns = request.get("inputs") or in_columns(request["instances"], signature.inputs)
    given = {}
    for name, info in signature.inputs.items():
        if name not in columns:
            raise Refused(f"Missing named input: {name}", INVALID_ARGUMENT)
        given[name] = array_of(columns[name], KINDS[info.dtype])
    return {name: values.tolist() for name, values in session.run(signature, given).items()}


def in_columns(records, wanted):
    """Returns a request's records as a list of values for each input."""
    if not records:
        raise Refused("No values in 'instances' array", INVALID_ARGUMENT)
    for place, record in enumerate(records):
        if set(record) != set(wanted):
            keys = ", ".join(sorted(wanted))
            raise Refused(f"element: {place}: keys must be equal to: {keys}", INVALID_ARGUMENT)
    return {name: [record[name] for record in records] for name in wanted}


def array_of(values, kind):
    """Returns nested lists as an array, if all values are of a kind and lists equally long."""
    shape, inner = [], values
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    kinds = (str,) if kind is str else (int, float)
    found = np.empty(shape, object)
    for place in np.ndindex(*shape):
        value = values
        for i in place:
            value = value[i] if isinstance(value, list) and i < len(value) else None
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise Refused(f"JSON Value: {value} is not of expected type", INVALID_ARGUMENT)
        found[place] = value
    return found if kind is str else found.astype(float)


def main():
    session = Session(sys.argv[1])
    for body in sys.stdin:
        try:
            found = answer(session, body)
        except Refused as error:
            message, code = error.args
            found = {"error": message, "code": code}
        print(json.dumps(found), flush=True)
    assert "interhat_tf" not in sys.modules


if __name__ == "__main__":
    main()
