"""Tests of the notebooks: what is committed, and that they run from an empty folder."""

import os
import pathlib
import re
import sys

import nbclient
import nbformat
import pytest

from tests.experiments.paper.figures_5_to_7_test import small_movielens

FOLDER = pathlib.Path(__file__).parents[1] / "notebooks"
NAMES = [
    "beside_lightgbm",
    "movielens_explanations",
    "served_model",
    "synthetic_heatmaps",
    "your_own_click_log",
]


def read(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def outputs(notebook):
    """Returns the printed text, the pictures and the HTML of a notebook."""
    found = {"text": "", "pictures": [], "html": []}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            found["text"] += output.get("text", "") if output.get("name") != "stderr" else ""
            data = output.get("data", {})
            found["pictures"] += [data["image/png"]] if "image/png" in data else []
            found["html"] += [data["text/html"]] if "text/html" in data else []
    return found


@pytest.fixture
def run(tmp_path, monkeypatch, quick_processes):
    """Runs a notebook in an empty folder, with nothing prepared; returns its outputs.

    Text of a cell that `instead` names is another in the run, for one that takes a moment.
    """
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")

    def execute(name, instead=None):
        notebook = read(name)
        for there, shorter in (instead or {}).items():
            (cell,) = (cell for cell in notebook.cells if there in cell.source)
            cell.source = cell.source.replace(there, shorter)
        # The kernel spares what these processes do.
        spared = "from tests.conftest import pytest_configure; pytest_configure()"
        notebook.cells.insert(0, nbformat.v4.new_code_cell(spared))
        folder = {"metadata": {"path": str(tmp_path / "notebooks")}}
        client = nbclient.NotebookClient(
            notebook, timeout=900, kernel_name="python3", resources=folder
        )
        client.execute()
        return outputs(notebook)

    return execute


def test_these_are_all_notebooks():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed_has_run(name):
    cells = [cell for cell in read(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = [output.output_type for cell in cells for output in cell.outputs]
    assert "error" not in kinds
    found = outputs(read(name))
    assert found["pictures"]
    text = (FOLDER / f"{name}.ipynb").read_text()
    assert not re.search(r"/(home|root|tmp|work|usr|var)/", text)


def test_an_own_log_takes_fewer_than_40_lines():
    cells = [cell for cell in read("your_own_click_log").cells if cell.cell_type == "code"]
    lines = [line for cell in cells for line in cell.source.splitlines() if line.strip()]
    assert len(lines) < 40


@pytest.mark.parametrize("missing", ["lightgbm", "shap"])
def test_without_lightgbm_or_shap_the_notebook_says_what_to_install(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    first = next(cell for cell in read("beside_lightgbm").cells if cell.cell_type == "code")
    with pytest.raises(ImportError, match=r"pip install 'interhat-tf\[notebooks\]'"):
        exec(first.source.replace("%matplotlib inline", ""), {})


def rows_of(table):
    """Returns the cells of a table of numbers, by the name of the row."""
    rows = re.findall(r"(?s)<tr>.*?</tr>", table)
    rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]
    numbers = {name: [re.sub(r"[,%]", "", cell) for cell in cells] for name, *cells in rows}
    return {name: [float(n) if n else None for n in cells] for name, cells in numbers.items()}


def test_the_answer_beside_lightgbm_is_what_was_measured():
    found = outputs(read("beside_lightgbm"))
    low, high = map(float, re.search(r"interval (\S+) to (\S+)", found["text"]).groups())
    assert low < 0 < high
    scores, said = map(rows_of, found["html"])
    best, ours, theirs = (scores[name] for name in ("the true log-odds", "InterHAt", "LightGBM"))
    assert best[0] > max(ours[0], theirs[0]) and 12 < ours[2] / theirs[2] < 20
    effects, tree_shap = said["InterHAt's effects"], said["LightGBM's TreeSHAP"]
    assert abs(effects[0] - 80) < 4 and abs(tree_shap[0] - 80) < 4
    assert said["InterHAt's attention"][0] < min(effects[0], tree_shap[0]) - 5
    assert effects[1] < 1 < 3 < tree_shap[1]
    assert tree_shap[2] < effects[2] < tree_shap[2] + 0.1
    assert effects[3] > 3 * tree_shap[3]


@pytest.mark.slow
def test_beside_lightgbm(run):
    fewer = {
        "2000, [valid": "300, [valid",
        "settings, 12": "settings, 2",
        "range(500)": "range(50)",
    }
    fewer |= {'"alignment_epochs": 0': '"alignment_epochs": 0, "max_epochs": 6'}
    found = run("beside_lightgbm", {**fewer, 'kind="shapley"': 'kind="shapley", epochs=12'})
    assert len(found["pictures"]) == 3
    scores, said = map(rows_of, found["html"])
    best = scores.pop("the true log-odds")[0]
    assert all(best - 0.04 < auc < best for auc, *_ in scores.values())
    assert said["InterHAt's effects"][0] > 70 and said["InterHAt's effects"][1] < 3


@pytest.mark.slow
def test_planted_fields_stand_out(run):
    found = run("synthetic_heatmaps")
    assert len(found["pictures"]) == 3
    aucs = dict(re.findall(r"(rule_\w+): test AUC (\d\.\d+)", found["text"]))
    assert 0.63 < float(aucs["rule_1"]) < 0.68 and 0.64 < float(aucs["rule_2_dense"]) < 0.7
    rows = re.findall(r"<tr><td>.*?</tr>", found["html"][0])
    assert len(rows) == 3 and all("the click probability from" in row for row in rows)
    for row in rows:  # the largest effects come last in a row, in order
        assert set(re.findall(r"(f\d+) = b\d \(", row)[-5:][:2]) == {"f3", "f4"}


@pytest.mark.slow
def test_movielens(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIELENS", os.fspath(small_movielens(tmp_path / "ml-1m")))
    found = run("movielens_explanations")
    assert len(found["pictures"]) == 3
    assert "Terminator" in found["html"][0]


@pytest.mark.slow
def test_a_model_is_served(run):
    fewer = {"40_000": "8_000", "fit_effects(model, data)": "fit_effects(model, data, epochs=8)"}
    found = run("served_model", fewer)
    assert len(found["pictures"]) == 3
    difference = re.search(r"largest difference .*: (\de-\d+)", found["text"])[1]
    assert float(difference) < 1e-5
    assert len(re.findall(r"^422 \['records", found["text"], re.MULTILINE)) == 5
    assert "answers as before: True" in found["text"]


@pytest.mark.slow
def test_an_own_log_is_explained(run, tmp_path):
    found = run("your_own_click_log", {"40_000": "16_000"})
    assert len(found["pictures"]) == 1
    assert float(re.search(r"test AUC (\d\.\d+)", found["text"])[1]) > 0.6
    rows = re.findall(r"<td>(0\.\d+)</td>", found["html"][0])
    # A sports ad on a sports page is clicked in 7 of 10 cases, the other in 2 of 10.
    assert float(rows[0]) == pytest.approx(0.7, abs=0.07)
    assert float(rows[1]) == pytest.approx(0.2, abs=0.07)
    assert (tmp_path / "runs/notebook/clicks.html").exists()
