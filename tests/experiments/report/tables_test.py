"""Tests of the page of results, on made-up summaries."""

import re

import pytest
from absl.testing import flagsaver

from experiments.common.published import CONTENDERS, TABLE_3
from experiments.common.table_3_files import read_table_3
from experiments.paper import sensitivity, table_3
from experiments.report import tables
from experiments.speed import lazy_adam
from interhat_tf.utils.files import read_json, write_json

MODELS = [*TABLE_3["frappe"], "released_searched", "paper"]


def rules_summary():
    """A run of ten seeds for each rule; Rule 1 is found in nine."""
    found = {"row": True, "combined": True, "highest": True}
    run = {"records": 7, "probability": 0.8, "test": {"auc": 0.6}, "seconds": 2.0}
    run |= {"field_weights": [[0.1] * 10] * 3, "order_weights": [0.2, 0.3, 0.5]}
    run["config"] = {"preset": "released", "training": {"batch_size": 512, "learning_rate": 0.01}}
    runs = [
        {**run, "rule": rule, "seed": seed, "found": {**found, "combined": seed > 0}}
        for rule in ("rule_1", "rule_2", "rule_3", "rule_3_dense")
        for seed in range(10)
    ]
    return {"date": "2026-01-01", "versions": {"machine": "a machine"}, "runs": runs}


@pytest.fixture
def results(study_flags, fake_runs, fake_data, grid_of, monkeypatch):
    """A folder with the summaries of all experiments."""
    memory = {"fields": ["user", "item"], "auc": 0.97, "logloss": 0.11}
    monkeypatch.setattr(table_3, "memorisation_baseline", lambda data: memory)
    with flagsaver.flagsaver(models=MODELS, trials=3, wider=1, leaders=1):
        table_3.main(None)
    sensitivity.vary("figure_3", "num_heads", [1, 4])
    sensitivity.vary("figure_4", "order", [2, 3])
    lazy_adam.main(None)
    folder = study_flags / "results"
    six = ["wide_deep", "dcn", "ipnn", "deepfm", "xdeepfm", "interhat"]
    seconds = {**dict.fromkeys(six, 3.0), "deepfm": 1.0, "interhat": 2.0}
    known = {"parameters": 10, "arguments": {"embedding_dim": 8}}
    rows = [{"model": model, "seconds": time, **known} for model, time in seconds.items()]
    write_json(folder / "speed/figure_2.json", grid_of({"size": "criteo"}, rows))
    row = {"model": "fm", "optimizer": "lazy_adam", "features": 60_570_000, "seconds": 0.0275}
    row["against"] = {"smallest": {"time": {"mean": 1.07, "std": 0.02}}}
    write_json(folder / "speed/table_size.json", grid_of({"model": "fm"}, [row]))
    write_json(folder / "figures_8_to_10/summary.json", rules_summary())
    return folder


def test_the_pages_have_everything(results):
    tables.main(None)
    readme = (results / "README.md").read_text()
    page = (results / "index.html").read_text()
    for name in ("figure_2", "figure_3", "figure_4"):
        assert (results / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"({name}.png)" in readme
    assert page.count("<img src=") == 3
    summary = read_table_3("frappe")
    assert list(summary["models"]) == [name for name in CONTENDERS if name in MODELS]
    for row in summary["models"].values():
        for text in (readme, page):
            assert f"{row['test']['auc']['mean']:.4f} ± {row['test']['auc']['std']:.4f}" in text
    for auc, logloss in TABLE_3["frappe"].values():
        assert f"{auc:.4f} / {logloss:.4f}" in readme
    trials = [trial for record in summary["records"].values() for trial in record["trials"]]
    chosen = sum(bool(record["trials"]) for record in summary["records"].values())
    assert readme.count("learning_rate 0.") == len(trials) + chosen


def test_beyond_the_paper(results):
    tables.main(None)
    text = (results / "README.md").read_text()
    assert "| FM | LazyAdam | no | 60,570,000 | 27.5 ± 100.0 | 74,473 | 1.07 ± 0.02 |" in text
    summary = read_json(results / "lazy_adam/frappe/summary.json")
    assert list(summary["optimizers"]) == ["adam", "lazy_adam"]
    ours = [summary["optimizers"][o]["test"]["auc"]["mean"] for o in ("lazy_adam", "adam")]
    assert summary["differences"]["auc"]["mean"] == pytest.approx(ours[0] - ours[1])
    assert f"AUC {summary['differences']['auc']['mean']:+.4f} [" in text


def test_html_needs_nothing_else(results):
    tables.main(None)
    page = (results / "index.html").read_text()
    for source in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert source.startswith("data:") or not re.match(r"(https?:)?//", source)
    assert "<script" not in page
    for tag in ("table", "tr", "td", "details", "div", "p", "h2"):
        assert page.count(f"<{tag}>") + page.count(f"<{tag} ") == page.count(f"</{tag}>")


def test_what_came_back_and_what_did_not(results):
    tables.main(None)
    rows = {
        line.split(" | ")[0].strip("| "): line.split(" | ")[1:]
        for line in (results / "README.md").read_text().splitlines()
        if line.startswith("| ")
    }
    assert rows["Table 1, Criteo"][0] == rows["Table 3, Criteo"][0] == "– not run here"
    assert rows["Table 1, Frappe"][0] == "◐ in part"
    assert rows["records"] == ["288K", "288,609 |"]
    assert rows["Table 4 and Figure 8, Rule 1"][0] == "✓ reproduced"
    status, why = rows["Figure 2, least time of six: InterHAt, released"]
    assert status == "✗ **not reproduced**"
    assert "rank 2 of 6, 2.0 times the seconds of DeepFM" in why


def test_the_planted_rules_have_a_page_of_their_own(results):
    tables.main(None)
    text = (results / "figures_8_to_10/README.md").read_text()
    row = "| Rule 1, Figure 8 | f1 | 10 of 10 | 9 of 10 | 10 of 10 | 0.80 ± 0.00 | –"
    assert (
        f"{row} | 0.6000 ± 0.0000 | 0.6598 |" in text
        and "training on all rules took 8 s for one seed" in text
    )
    assert "Written on 2026-01-01 by `make reproduce`; a machine." in text
    for name in ("figure_8", "figure_9", "figure_10", "rule_3_dense"):
        picture = (results / f"figures_8_to_10/{name}.png").read_bytes()
        assert f"({name}.png)" in text and picture.startswith(b"\x89PNG")


def test_a_page_of_nothing(study_flags):
    tables.main(None)
    text = (study_flags / "results/README.md").read_text()
    assert "| Figure 3, Frappe: best with 1 head | – not run here |" in text
    assert "## Table 1" not in text
    assert not (study_flags / "results/faithfulness").exists()
