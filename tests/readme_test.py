import pathlib
import re

README = pathlib.Path(__file__).parents[1] / "README.md"


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {}
    exec(example, names)
    assert names["explanation"]["order_weights"].shape == (1, 3)
    assert names["explanation"]["field_weights"].shape == (1, 3, 3)
    assert (tmp_path / "model.keras").exists()


def test_the_files_it_links_to_are_there():
    text = README.read_text()
    for target in re.findall(r"\]\(([^):#]+)\)", text):
        assert (README.parent / target).exists(), target
