"""Builds the demo: a page in which a model runs, without a server.

    python examples/demo/build.py --output=runs/demo/index.html

Trains a model on the log of `clicks.py`, gives it effects, exports it as an ONNX file, and puts
that, onnxruntime-web and its WebAssembly into one HTML file. onnxruntime-web is the npm package
of `package.json`, which npm fetches into the output's folder. Takes some minutes.
"""

import argparse
import base64
import gzip
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import jinja2
import keras
from clicks import TRUTH, write_log

from interhat_tf import InterHAt, prepare_click_log, train
from interhat_tf.errors import InterhatError, ending_programs
from interhat_tf.explanation import field_groups, fit_effects
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import CATEGORICAL
from interhat_tf.serving import export_onnx

HERE = pathlib.Path(__file__).parent
RUNTIME = "node_modules/onnxruntime-web/dist"
SCRIPT, WASM = f"{RUNTIME}/ort.wasm.bundle.min.mjs", f"{RUNTIME}/ort-wasm-simd-threaded.wasm"


def main() -> None:
    """Builds the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/demo/index.html"))
    output = parser.parse_args().output
    folder = output.parent
    with ending_programs():
        install_runtime(folder)
        model, data, report = train_model(folder)
        (folder / "model.onnx").unlink(missing_ok=True)
        export_onnx(model, folder / "model.onnx", data)
        output.write_text(page(folder, facts(model, data, report)))
    print(f"{output}: {output.stat().st_size / 2**20:.1f} MiB")


def install_runtime(folder: pathlib.Path) -> None:
    """Has npm put onnxruntime-web into a folder.

    Raises:
        InterhatError: If there is no npm, or it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", folder)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    if not shutil.which("npm"):
        raise InterhatError("the demo needs npm, which comes with Node.js, for onnxruntime-web")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InterhatError(f"npm cannot install onnxruntime-web: {done.stderr.strip()}")


def train_model(folder: pathlib.Path) -> tuple[InterHAt, PreparedDataset, dict[str, Any]]:
    """Returns a model with effects, the data set that it was trained on, and its report."""
    keras.utils.set_random_seed(0)
    write_log(folder / "clicks.csv")
    data = prepare_click_log(folder / "clicks.csv", name="clicks", data_dir=folder / "prepared")
    model = InterHAt.from_preset("tuned", data.schema, rows=data.num_rows("train"))
    report = train(model, data, folder / "run", resume=True)
    fit_effects(model, data, pairs=True)
    return model, data, report


def facts(model: InterHAt, data: PreparedDataset, report: dict[str, Any]) -> dict[str, Any]:
    """Returns what the page has to know besides the model: the fields and their values."""
    others, clicks = data.label_weights("train")
    names = model.schema.field_names
    kinds = [field.kind for field in model.schema.fields]
    fields = [
        {"name": name, "values": data.vocabularies[name]}
        if kind == CATEGORICAL
        else {"name": name, "range": list(data.encoding.ranges[name])}
        for name, kind in zip(names, kinds, strict=True)
    ]
    return {
        "fields": fields,
        "pairs": field_groups(model.schema, 2),
        "auc": report["test"]["auc"],
        "base_rate": clicks / (others + clicks),
        "truth": TRUTH,
    }


def page(folder: pathlib.Path, about: dict[str, Any]) -> str:
    """Returns the page, with all that it needs inside."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return templates.get_template("demo.html").render(
        facts=about,
        model=packed(folder / "model.onnx"),
        runtime=packed(folder / SCRIPT),
        wasm=packed(folder / WASM),
    )


def packed(path: pathlib.Path) -> str:
    """Returns a file's bytes, compressed, as text."""
    return base64.b64encode(gzip.compress(path.read_bytes(), mtime=0)).decode()


if __name__ == "__main__":
    sys.exit(main())
