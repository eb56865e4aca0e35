"""Tests of what `examples/server/README.md` says of TensorFlow Serving, without its server.

The configuration and the request are read by TensorFlow Serving's own messages, and the exported
model answers as the server's C++ has it do: a session, the signature's tensors by their names.
"""

import json
import pathlib
import re
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from interhat_tf import prepare_click_log
from interhat_tf.serving import export_saved_model
from tests.conftest import run_python
from tests.numpy_reference import randomise
from tests.serving.served import make_model

model_server_config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
predict_pb2 = pytest.importorskip("tensorflow_serving.apis.predict_pb2")

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples/server"

# What the server does with a request, in a process that has nothing of this package.
ANSWER = """
    import pathlib, sys
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    folder, version = map(pathlib.Path, sys.argv[1:])
    request = predict_pb2.PredictRequest.FromString((folder / "request").read_bytes())
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        signature = loaded.signature_def[request.model_spec.signature_name]
        assert set(request.inputs) == set(signature.inputs)
        tensors = {}
        for name, tensor in request.inputs.items():
            assert tensor.dtype == signature.inputs[name].dtype, name
            tensors[signature.inputs[name].name] = tf.make_ndarray(tensor)
        outputs = {name: output.name for name, output in signature.outputs.items()}
        found = session.run(outputs, tensors)
    assert "interhat_tf" not in sys.modules
    response = predict_pb2.PredictResponse()
    for name, value in found.items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    (folder / "response").write_bytes(response.SerializeToString())
"""


def test_the_configuration_names_the_folder_that_the_readme_exports_to():
    text = (EXAMPLE / "tensorflow_serving/models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    readme = (EXAMPLE / "README.md").read_text()
    exported = re.search(r"--output=(models/\S+)/1\n", readme)[1]
    assert model.base_path == f"/{exported}" and '-v "$PWD/models:/models"' in readme
    assert model.model_platform == "tensorflow"
    assert f"/v1/models/{model.name}:predict" in readme


@pytest.mark.slow
def test_the_readmes_request_is_answered_as_by_python(tmp_path):
    body = json.loads(re.search(r"-d '(\{.*\})'", (EXAMPLE / "README.md").read_text())[1])
    columns = body["inputs"]
    lines = [f"{i % 3 == 0:d},u{i % 20},{'maps' if i % 7 else ''},{i % 9 / 8}" for i in range(200)]
    log = tmp_path / "clicks.csv"
    log.write_text("\n".join(["click,user,app,price", *lines]))
    data = prepare_click_log(log, name="clicks", data_dir=tmp_path)
    model = randomise(make_model(data.schema))
    export_saved_model(model, tmp_path / "models/clicks/1", data)

    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "clicks", body["signature_name"]
    for name, values in columns.items():
        dtype = tf.float64 if name == "price" else tf.string
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, dtype))
    (tmp_path / "request").write_bytes(request.SerializeToString())
    answer = ["-c", textwrap.dedent(ANSWER), tmp_path, tmp_path / "models/clicks/1"]
    run_python(*answer, PYTHONPATH="")

    response = predict_pb2.PredictResponse.FromString((tmp_path / "response").read_bytes())
    found = tf.make_ndarray(response.outputs["probability"])
    records = {name: [None if v != v else v for v in values] for name, values in columns.items()}
    logits = np.ravel(model(data.encode(records)))
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits)), atol=1e-6)
