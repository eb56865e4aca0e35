"""Tests of what `examples/server/README.md` says of TensorFlow Serving, without its server.

The configuration is read by TensorFlow Serving's own messages. Requests are answered by
`session_server.py`, by the server's rules, in a session of TensorFlow's C++.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from interhat_tf import prepare_click_log
from interhat_tf.serving import export_saved_model
from tests.examples.session_server import INVALID_ARGUMENT
from tests.numpy_reference import randomise
from tests.serving.served import make_model

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples/server"
README = (EXAMPLE / "README.md").read_text()
BODY = json.loads(re.search(r"-d '(\{.*\})'", README)[1])
NAN = float("nan")


def test_the_configuration_names_the_folder_that_the_readme_exports_to():
    messages = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    from google.protobuf import text_format

    text = (EXAMPLE / "tensorflow_serving/models.config").read_text()
    config = text_format.Parse(text, messages.ModelServerConfig())
    (model,) = config.model_config_list.config
    exported = re.search(r"--output=(models/\S+)/1\n", README)[1]
    assert model.base_path == f"/{exported}" and '-v "$PWD/models:/models"' in README
    assert model.model_platform == "tensorflow"
    assert f"/v1/models/{model.name}:predict" in README


def columns(**values):
    """Returns a request's body of columns, the readme's with other values."""
    (record,) = BODY["instances"]
    of_record = {name: [value] for name, value in record.items()}
    return {"signature_name": "predict", "inputs": {**of_record, **values}}


def records(*values):
    """Returns a request's body of records, the readme's with other values."""
    (record,) = BODY["instances"]
    return {"signature_name": "predict", "instances": [{**record, **value} for value in values]}


WRONG = {
    "unknown column": (records({"colour": "red"}), "keys must be equal to: app, price, user"),
    "missing column": ({"inputs": {"user": ["u1"], "price": [1.0]}}, "Missing named input: app"),
    "text for a number": (columns(price=["cheap"]), "cheap is not of expected type"),
    "null": (records({"price": None}), "None is not of expected type"),
    "number for a text": (records({"user": 17}), "17 is not of expected type"),
    "infinite": (columns(price=[float("inf")]), "price"),
    "columns of two lengths": (columns(user=["u1", "u2"]), ""),
    "no records": ({"signature_name": "predict", "instances": []}, "No values"),
    "no signature": ({**BODY, "signature_name": "train"}, "signature"),
    "both": ({**BODY, **columns()}, "one of"),
}
"""Requests that are refused, and what the error says."""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A prepared log, a model of it, and the folder it is exported to."""
    folder = tmp_path_factory.mktemp("served")
    lines = [f"{i % 3 == 0:d},u{i % 20},{'maps' if i % 7 else ''},{i % 9 / 8}" for i in range(200)]
    log = folder / "clicks.csv"
    log.write_text("\n".join(["click,user,app,price", *lines]))
    data = prepare_click_log(log, name="clicks", data_dir=folder)
    model = randomise(make_model(data.schema))
    export_saved_model(model, folder / "models/clicks/1", data)
    return data, model, folder / "models/clicks/1"


def asked(folder, bodies):
    """Returns the answers to requests, one after the other, of a process without this package."""
    program = pathlib.Path(__file__).with_name("session_server.py")
    found = subprocess.run(
        [sys.executable, program, folder],
        input="\n".join(map(json.dumps, bodies)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    return list(map(json.loads, found.stdout.splitlines()))


@pytest.mark.slow
def test_requests_are_answered_as_by_python_and_wrong_ones_refused(served):
    data, model, folder = served
    many = [{"user": f"u{i % 30}", "price": i / 10_000 if i % 5 else NAN} for i in range(10_000)]
    explaining = {**BODY, "signature_name": "serving_default"}
    good = [BODY, columns(colour=["red"]), records(*many), explaining]
    wrong = [body for body, _ in WRONG.values()]
    answers = asked(folder, [*good, *wrong, BODY])

    one, ignored, all_of_them, explained = answers[: len(good)]
    assert ignored == one == answers[-1]
    assert len(all_of_them["probability"]) == 10_000 and "field_weights" in explained
    for body, found in ((BODY, one), (records(*many), all_of_them)):
        given = body["instances"]
        values = {name: [record[name] for record in given] for name in ("user", "app", "price")}
        values["price"] = [None if np.isnan(price) else price for price in values["price"]]
        logits = np.ravel(model(data.encode(values, max_unknown=1.0)))
        np.testing.assert_allclose(found["probability"], 1 / (1 + np.exp(-logits)), atol=1e-6)

    for name, found, (_, says) in zip(WRONG, answers[len(good) : -1], WRONG.values(), strict=True):
        assert found.get("code") == INVALID_ARGUMENT and says in found["error"], (name, found)
