import pathlib
import re

import numpy as np
import pytest

from tests.click_log_example import train_briefly, write_click_log

README = pathlib.Path(__file__).parents[1] / "README.md"


def run_example(number):
    """Runs one of the README's examples; returns what it has defined."""
    examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(examples) == 2
    names = {}
    exec(examples[number], names)
    return names


@pytest.mark.slow
def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_example(1)
    assert names["explanation"]["order_weights"].shape == (1, 3)
    assert names["explanation"]["field_weights"].shape == (1, 3, 3)
    total = names["explanation"]["contributions"].numpy().sum() + names["explanation"]["bias"]
    np.testing.assert_allclose(total, names["explanation"]["logits"], atol=1e-4)
    assert (tmp_path / "model.keras").exists()


@pytest.mark.slow
def test_the_example_of_a_click_log_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train_briefly(monkeypatch)
    write_click_log(tmp_path / "clicks.csv")
    names = run_example(0)
    assert names["data"].schema.field_names == ("user", "app", "price")
    explanation = names["explanation"]
    assert explanation.field_weights.shape[::2] == (2, 3) and explanation.effects.shape == (2, 3)
    assert explanation.values.tolist()[0][:2] == ["u17", "maps"]
    assert "<script" in pathlib.Path("explanations.html").read_text()
    assert 0 < names["report"]["test"]["auc"] < 1
