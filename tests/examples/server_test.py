"""Tests of the example server, over loopback, in a process without TensorFlow and this library."""

import concurrent.futures
import http.client
import json
import pathlib
import subprocess
import sys
import textwrap

import keras
import numpy as np
import onnx
import pytest

from interhat_tf.serving import export_onnx
from tests.models.held_effects import with_effects
from tests.numpy_reference import randomise
from tests.serving.raw_log import prepare, raw_records
from tests.serving.served import make_model

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

SERVER = pathlib.Path(__file__).parents[2] / "examples/server/server.py"
ALONE = """
import runpy, sys
sys.modules.update(interhat_tf=None, tensorflow=None, keras=None)
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def start(*arguments):
    command = [sys.executable, "-c", ALONE, SERVER, *arguments]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def model(data):
    keras.utils.set_random_seed(0)
    return with_effects(randomise(make_model(data.schema)))


@pytest.fixture(scope="module")
def server(model, data, tmp_path_factory):
    """The port of a server that runs until all tests are done."""
    path = tmp_path_factory.mktemp("served") / "model.onnx"
    export_onnx(model, path, data)
    process = start(f"--model={path}", "--port=0")
    try:
        said = process.stdout.readline()
        assert said.startswith(f"serving {path} at http://127.0.0.1:"), process.stderr.read()
        yield int(said.rpartition(":")[2])
        assert process.poll() is None, "the server has ended"
    finally:
        process.terminate()
        process.wait()


JSON = {"Content-Type": "application/json"}


def ask(port, body, path="/predict", method="POST", headers=JSON):
    """Returns the status and what the answer's JSON holds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def as_records(columns):
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def sent(records):
    return json.dumps({"records": records})


def one(**changes):
    return {**as_records(raw_records(1))[0], **changes}


def test_answers_are_the_models_own(server, model, data):
    columns = raw_records(50)
    columns["M.ID"][0], columns["member"][0] = "7", "true"
    status, answer = ask(server, sent(as_records(columns)))
    assert status == 200
    inputs = data.encode(columns, max_unknown=1.0)
    explanation = {name: np.asarray(value) for name, value in model.explain(inputs).items()}
    attention = np.einsum("bk,bkm->bm", explanation["order_weights"], explanation["field_weights"])
    expected = {
        "probability": 1 / (1 + np.exp(-explanation["logits"])),
        "unknown_share": (inputs["categorical"] == 0).mean(axis=1),
    }
    for name, values in expected.items():
        found = [prediction[name] for prediction in answer["predictions"]]
        np.testing.assert_allclose(found, values, atol=1e-5, err_msg=name)
    for name, values in {"effects": explanation["effects"], "attention": attention}.items():
        assert list(answer["predictions"][0][name]) == list(data.schema.field_names)
        found = [list(prediction[name].values()) for prediction in answer["predictions"]]
        np.testing.assert_allclose(found, values, atol=1e-5, err_msg=name)
    # As numbers and booleans of JSON, and as seconds.
    written = as_records(columns)[0] | {"seen at": "2024-01-31T07:30:00"}
    other = {**written, "M.ID": 7.0, "member": True, "seen at": 1706686200}
    status, answer = ask(server, sent([written, other]))
    assert status == 200 and answer["predictions"][0] == answer["predictions"][1]


def test_it_says_what_a_record_has(server, data):
    status, answer = ask(server, None, "/model", "GET")
    assert status == 200 and answer["inputs"]["seen at"] == "time"
    assert answer["fields"] == list(data.schema.field_names)
    assert (answer["calibration"], answer["max_records"]) == ("not calibrated", 1000)
    status, answer = ask(server, None, "/openapi.json", "GET")
    assert status == 200 and "seen at" in json.dumps(answer)


WRONG = {
    "no JSON": ("{", 422, "JSON decode error"),
    "no records": ("{}", 422, "records: Field required"),
    "not a list": ('{"records": 1}', 422, "records: Input should be a valid list"),
    "empty": (sent([]), 422, "records: List should have at least 1 item"),
    "10,000 rows": (sent([one()] * 10_000), 422, "records: List should have at most 1000 items"),
    "an unknown field": (sent([one(colour=1)]), 422, "records.0.colour: Extra inputs are not perm"),
    "a missing field": (sent([one(), {"app": "x"}]), 422, "records.1.M.ID: Field required"),
    "text for a number": (sent([one(price="cheap")]), 422, "records.0.price: Input should be a"),
    "a boolean for a number": (sent([one(price=True)]), 422, "records.0.price: Input should be a"),
    "infinity": (sent([one(price=float("inf"))]), 422, "records.0.price: Input should be a finite"),
    "NaN": (sent([one(price=float("nan"))]), 422, "records.0.price: Input should be a finite"),
    "beyond a float": (sent([one(price=10**400)]), 422, "records.0.price: "),
    "a list for a text": (sent([one(app=["maps"])]), 422, "records.0.app: Input should be a valid"),
    "half a character": (sent([one(app="\ud800")]), 422, "half a character is no text"),
    "a name that is no text": (
        sent([one(**{"\ud800": 1})]),
        422,
        "records.0: Input should be a valid",
    ),
    "digits that are lost": (sent([one(**{"M.ID": 2.0**60})]), 422, "a float is exact only up"),
    "no time": (sent([one(**{"seen at": "soon"})]), 422, "a time is a number of seconds"),
    "a 31st of February": (sent([one(**{"seen at": "2024-02-31"})]), 422, "records.0.seen at: "),
    "not UTF-8": (b'{"records": "\xff"}', 400, "error parsing the body"),
    "nested": ("[" * 100_000, 400, "error parsing the body"),
    "too many bytes": (b" " * (5 << 20), 413, "a request has at most 4,194,304 bytes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_is_said_to_be(server, name):
    body, expected, message = WRONG[name]
    status, answer = ask(server, body)
    assert status == expected, answer
    assert message in answer["errors"][0] and len(json.dumps(answer)) < 5_000


def test_other_paths_methods_and_types(server):
    status, answer = ask(server, sent([one()]), headers={"Content-Type": "text/plain"})
    assert (status, answer["errors"]) == (415, ["Content-Type: application/json is missing"])
    assert ask(server, "{}", "/nothing") == (404, {"errors": ["Not Found"]})
    assert ask(server, None, "/predict", "GET") == (405, {"errors": ["Method Not Allowed"]})


def test_wrong_requests_cost_no_right_one(server):
    """1,000 wrong requests among right ones, eight at a time."""
    right = sent(as_records(raw_records(3)))
    _, expected = ask(server, right)
    bodies = [body for body, *_ in WRONG.values() if len(body) < 100_000]

    def mixed(worker):
        random = np.random.default_rng(worker)
        for _ in range(125):
            status, _ = ask(server, bodies[random.integers(len(bodies))])
            assert 400 <= status < 500
            if random.random() < 0.2:
                assert ask(server, right) == (200, expected)
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(mixed, range(8)))


def test_a_client_that_goes_away_costs_nothing(server):
    for sends in (b"POST /predict HTTP/1.1\r\nContent-Length: 999\r\n\r\n{", b"\x00\xff\r\n\r\n"):
        connection = http.client.HTTPConnection("127.0.0.1", server)
        connection.connect()
        connection.sock.sendall(sends)
        connection.close()
    assert ask(server, sent([one()]))[0] == 200


def of_form(form, model, data, path):
    """Exports a model, and gives the file another number of its form, or none."""
    export_onnx(model, path, data)
    graph = onnx.load(path)
    others = [prop for prop in graph.metadata_props if prop.key != "format"]
    del graph.metadata_props[:]
    graph.metadata_props.extend(others)
    if form:
        graph.metadata_props.add(key="format", value=form)
    onnx.save(graph, path)


def test_a_file_of_the_time_before_there_was_a_number_is_served(model, data, tmp_path):
    of_form(None, model, data, tmp_path / "old.onnx")
    process = start(f"--model={tmp_path / 'old.onnx'}", "--port=0")
    said = process.stdout.readline()
    process.terminate()
    process.wait()
    assert said.startswith("serving ")


def test_a_file_that_it_cannot_serve(model, data, tmp_path):
    export_onnx(model, tmp_path / "ids.onnx")
    of_form("2", model, data, tmp_path / "later.onnx")
    (tmp_path / "no.onnx").write_text("no model")
    for name, message in {
        "none.onnx": "is missing: write it by interhat export",
        "no.onnx": "is no ONNX model",
        "ids.onnx": "takes no raw values: write it by interhat export",
        "later.onnx": "has format 2, of a later version of interhat_tf; this server reads format 1",
    }.items():
        process = start(f"--model={tmp_path / name}", "--port=0")
        _, said = process.communicate()
        assert process.returncode == 1 and said.startswith("error: ") and message in said
        assert said.count("\n") == 1, textwrap.indent(said, name)
