import types

import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import onnx_forms
from interhat_tf import Field, Schema


@pytest.mark.slow
def test_every_form_answers_as_the_exported_file(study_flags, monkeypatch):
    monkeypatch.setattr(onnx_forms, "CALLS", {1: 3, 20: 2})
    with flagsaver.flagsaver(form_size="avazu"):
        onnx_forms.main(None)
        rows = read_result("speed/onnx_forms.json")["rows"]
    assert {(row["form"], row["records"]) for row in rows} == {
        (form, n) for form in onnx_forms.FORMS for n in (1, 20)
    }
    for row in rows:
        exact = "attention" in row["form"] or row["form"] == onnx_forms.AS_EXPORTED
        assert row["largest_error"] < (1e-6 if exact else 0.05), row
        assert exact or row["largest_error"] > 0, row
        assert row["p50"] > 0 and row["megabytes"] > 0
    of_one = [row for row in rows if row["records"] == 1 and row["threads"] == 1]
    size = {row["form"]: row["megabytes"] for row in of_one}
    assert size["products of 8 bits"] < 0.4 * size[onnx_forms.AS_EXPORTED]
    assert size["float16"] < 0.6 * size[onnx_forms.AS_EXPORTED]


def test_a_form_is_as_many_times_as_fast_as_the_exported_file(tmp_path, monkeypatch):
    now, seconds = [0.0], {onnx_forms.AS_EXPORTED: 2.0, "float16": 0.5}

    class Session:
        def __init__(self, file, options):
            self.seconds = seconds[file.name]

        def run(self, outputs, inputs):
            now[0] += self.seconds
            return [np.array([self.seconds])]

    files = {name: tmp_path / name for name in seconds}
    for file in files.values():
        file.write_bytes(bytes(3_000_000))
    monkeypatch.setattr(onnx_forms.onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnx_forms, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    schema = Schema([Field("user", "categorical", 4)])
    exported, half = onnx_forms.ask_in_turn(files, schema, records=1, calls=2, threads=1)
    assert (exported["times_faster"], exported["largest_error"], exported["p50"]) == (1, 0, 2)
    assert (half["times_faster"], half["largest_error"], half["p50"]) == (4, 1.5, 0.5)
    assert half["megabytes"] == 3
