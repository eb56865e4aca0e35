"""Serves an ONNX file of `interhat export` over HTTP, with FastAPI and ONNX Runtime alone.

    python examples/server/server.py --model=model.onnx

Neither TensorFlow nor interhat_tf is needed: `pip install fastapi uvicorn onnxruntime`.

    curl localhost:8000/predict --json '{"records": [{"user": "u17", "app": "maps", "price": 1}]}'

`GET /model` tells what a record has, `GET /docs` all of the interface. A request that is wrong
is answered with 422, or 413 if it is too large, and `errors`, a line for each.
"""

import argparse
import json
import pathlib
import socket
import sys
from typing import Any

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from records import columns_of, request_model
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_RECORDS = 1000
MAX_BYTES = 4 << 20
MAX_ERRORS = 10
"""Errors that an answer lists, at most."""
FORMAT = "1"
"""The form of the files that this server reads; the first ones said none."""


class Model:
    """An exported model.

    Args:
        path: The ONNX file.

    Raises:
        ValueError: If it cannot be read, or was exported without its prepared set or by a later
            version.
    """

    def __init__(self, path: pathlib.Path):
        try:
            self.session = onnxruntime.InferenceSession(path)
        except Exception as error:  # ONNX Runtime has a class for each reason
            raise ValueError(f"{path} is no ONNX model that can be read ({error})") from error
        self.outputs = [output.name for output in self.session.get_outputs()]
        said = self.session.get_modelmeta().custom_metadata_map
        if (form := said.get("format", FORMAT)) != FORMAT:
            raise ValueError(
                f"{path} has format {form}, of a later version of interhat_tf; this server reads "
                f"format {FORMAT}: use that version's server"
            )
        self.kinds: dict[str, str] = json.loads(said.get("inputs", "{}"))
        if list(self.kinds) != [given.name for given in self.session.get_inputs()]:
            raise ValueError(f"{path} takes no raw values: write it by interhat export")
        self.fields: list[str] = json.loads(said["fields"])
        self.calibration = said["calibration"]

    def predict(self, columns: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        """Returns each record's probability, with what the model says of its reasons.

        Args:
            columns: (B,) values of each column.
        """
        found = dict(zip(self.outputs, self.session.run(None, columns), strict=True))
        answers = [
            {name: float(found[name][row]) for name in ("probability", "unknown_share")}
            for row in range(len(found["probability"]))
        ]
        reasons = {"effects": found.get("effects")}
        if "field_weights" in found:  # (B, k, m), and the orders' own weights, (B, k)
            reasons["attention"] = np.einsum(
                "bk,bkm->bm", found["order_weights"], found["field_weights"]
            )
        for name, values in reasons.items():
            if values is not None:
                for answer, row in zip(answers, values.tolist(), strict=True):
                    answer[name] = dict(zip(self.fields, row, strict=True))
        return answers


class BodyLimit:
    """Answers a request of too many bytes with 413, and reads no more of it.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BYTES:
                raise HTTPException(413, f"a request has at most {MAX_BYTES:,} bytes")
            return message

        await self.app(scope, limited, send)


def make_app(model: Model) -> FastAPI:
    """Returns the application that serves a model."""
    app = FastAPI(title="InterHAt", description=f"Probabilities are {model.calibration}.")
    app.add_middleware(BodyLimit)
    app.add_exception_handler(RequestValidationError, say_what_is_wrong)
    app.add_exception_handler(HTTPException, say_what_is_wrong)
    request = request_model(model.kinds, MAX_RECORDS)

    @app.post("/predict")
    def predict(body: request) -> Any:  # in a thread, as several requests may be
        return {"predictions": model.predict(columns_of(body.records, model.kinds))}

    @app.get("/model")
    def describe() -> Any:
        return {
            "inputs": model.kinds,
            "fields": model.fields,
            "calibration": model.calibration,
            "max_records": MAX_RECORDS,
        }

    return app


async def say_what_is_wrong(request: Request, error: Exception) -> JSONResponse:
    """Answers a wrong request: a line for each error, which says where it is."""
    if isinstance(error, HTTPException):
        return JSONResponse({"errors": [error.detail]}, error.status_code)
    assert isinstance(error, RequestValidationError)
    if "json" not in request.headers.get("content-type", ""):
        return JSONResponse({"errors": ["Content-Type: application/json is missing"]}, 415)
    lines = [
        f"{'.'.join(map(str, found['loc'][1:])) or 'the body'}: {found['msg']}"
        for found in error.errors()[:MAX_ERRORS]
    ]
    # A name that was sent may hold what is no text.
    return JSONResponse({"errors": [s.encode("utf-8", "replace").decode() for s in lines]}, 422)


def main() -> None:
    """Serves the model that the command line names until it is interrupted."""
    parser = argparse.ArgumentParser(description="Serves an exported ONNX model.")
    parser.add_argument("--model", required=True, type=pathlib.Path, help="the ONNX file")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", default=8000, type=int, help="port; 0 takes a free one")
    arguments = parser.parse_args()
    if not arguments.model.exists():
        sys.exit(f"error: {arguments.model} is missing: write it by interhat export")
    try:
        app = make_app(Model(arguments.model))
        listening = socket.create_server((arguments.host, arguments.port))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    # An answer's head and body are two packets. asyncio lets the second go at once on a socket that
    # names its protocol, which this one does not; accepted ones inherit the option.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    host, port = listening.getsockname()[:2]
    print(f"serving {arguments.model} at http://{host}:{port}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main()
