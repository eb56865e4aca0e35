"""Tests of the process of PyTorch's models, whose other Python is a stand-in."""

import json
import pathlib
import sys

import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.speed.grid import chosen
from experiments.speed.grids import GRIDS, Case
from experiments.speed.pytorch_cases import pytorch_case
from experiments.speed.pytorch_process import Seconds, pytorch_model

pytestmark = pytest.mark.usefixtures("study_flags")

OTHER_PYTHON = """#!{python}
import json, pathlib, sys
import numpy as np
_, switch, program, model, path, settings = sys.argv
with np.load(path) as arrays:
    shapes = {{name: arrays[name].shape for name in arrays}}
asked = dict(program=program, model=model, shapes=shapes, **json.loads(settings))
pathlib.Path({asked!r}).write_text(json.dumps(asked))
print(json.dumps(dict(parameters=7, versions=dict(torch="2"))), flush=True)
for line in sys.stdin:
    print(json.dumps([int(line) / 10, int(line) / 5]), flush=True)
"""


@pytest.fixture
def asked(tmp_path):
    """Lets a stand-in be the other Python, of which each step takes 0.1 s; what it is asked."""
    python, path = tmp_path / "python", tmp_path / "asked.json"
    python.write_text(OTHER_PYTHON.format(python=sys.executable, asked=str(path)))
    python.chmod(0o755)
    with flagsaver.flagsaver(pytorch_python=str(python), fuxictr_zoo="zoo"):
        yield lambda: json.loads(path.read_text())


def test_a_model_is_told_of_its_records_and_trains(asked):
    arrays = {"ids": np.zeros((2, 5, 3), int), "labels": np.zeros((2, 5), "float32")}
    with pytorch_model("deepfm", arrays, {"dim": 4}, threads=2) as model:
        assert model.facts == {"parameters": 7, "versions": {"torch": "2"}}
        assert model.train(3) == Seconds(clock=pytest.approx(0.3), processor=0.6)
    found = asked()
    assert pathlib.Path(found.pop("program")).is_file()
    shapes = {"ids": [2, 5, 3], "labels": [2, 5]}
    arguments = {"dim": 4}
    assert found == dict(model="deepfm", shapes=shapes, threads=2, arguments=arguments)


def test_cases_have_the_sizes_of_ours(asked):
    with pytorch_case(Case("interhat", "criteo", code="pytorch", batch=8)) as (facts, seconds):
        assert seconds(5) == 0.5
    arguments = asked()["arguments"]
    assert sum(arguments.pop("sizes")) == 605_700 and arguments.pop("zoo") == "zoo"
    assert arguments == facts["arguments"]
    of_attention = {"attention_dim": 30, "num_heads": 12, "hidden_dim": 30}
    assert arguments == {"embedding_dim": 12, "order": 3, "hidden_units": [6], **of_attention}
    with pytorch_case(Case("deepfm", "frappe", code="pytorch", batch=8)) as (facts, _):
        assert facts["arguments"] == {"dim": 12, "units": (400, 400, 400)}
    assert asked()["shapes"] == {"ids": [4, 8, 10], "labels": [4, 8]}


def test_an_environment_without_torch_is_named():
    arrays = {"labels": np.zeros((1, 2), "float32")}
    with (
        flagsaver.flagsaver(pytorch_python=sys.executable),
        pytest.raises(ValueError, match=r"cannot run pytorch_models\.py: are torch and fuxictr"),
        pytorch_model("din", arrays, {}, threads=1),
    ):
        pass


def test_pytorch_is_timed_where_the_flags_say_where_it_is():
    def timed(**flags):
        with flagsaver.flagsaver(sizes=["criteo"], **flags):
            return [c.model for c in chosen(GRIDS["models"].cases) if c.code == "pytorch"]

    assert timed() == []
    assert timed(pytorch_python="python") == ["deepfm"]
    there = {"pytorch_python": "python", "fuxictr_zoo": "zoo"}
    assert timed(**there) == ["interhat", "deepfm"]
    assert timed(**there, precision="mixed_bfloat16") == timed(**there, xla=True) == []
