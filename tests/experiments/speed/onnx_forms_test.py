import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import onnx_forms


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
