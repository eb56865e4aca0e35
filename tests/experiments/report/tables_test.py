"""Tests of the page of results, on made-up summaries."""

import re

import pytest

from experiments.common.published import TABLE_3
from experiments.paper import sensitivity, table_3
from experiments.report import tables
from experiments.report.figures import as_bytes, sensitivity_figure
from experiments.report.pages import Picture, Section, Table, html_page, markdown
from experiments.speed import lazy_adam
from interhat_tf.utils.files import read_json, write_json


@pytest.fixture
def results(study_flags, fake_runs, fake_data, monkeypatch):
    """A folder with the summaries of all experiments."""
    monkeypatch.setattr(table_3, "look_up_baseline", lambda data: {"auc": 0.97, "logloss": 0.11})
    table_3.main(None)
    sensitivity.vary("heads", "num_heads", [1, 4])
    sensitivity.vary("orders", "order", [2, 3])
    lazy_adam.main(None)
    folder = study_flags / "results"
    step = {"model": "fm", "optimizer": "lazy_adam", "features": 60_570_000, "rows_per_second": 9.0}
    step["seconds_per_step"] = {"mean": 0.0275, "std": 0.001}
    step["against_smallest"] = {"mean": 1.07, "std": 0.02}
    sizes = {"date": "2026-01-01", "device": "a machine", "batch_size": 2048, "fields": 36}
    write_json(folder / "vocabulary/summary.json", {**sizes, "rounds": 7, "rows": [step]})
    answer = {"export": "ONNX", "records": 10_000, "p50": 1.5, "p99": 2.5}
    versions = {"tensorflow": "2", "onnxruntime": "1", "machine": "a machine"}
    answers = {"size": "criteo", "calls": {"10000": 20}, "rows": [answer], "versions": versions}
    write_json(folder / "latency/summary.json", {"date": "2026-01-01", **answers})
    piece = {"form": "Criteo, released", "piece_rows": 16, "gain": {"mean": 1.7, "std": 0.1}}
    piece |= {"kind": "pieces", "gain_over_keras": {"mean": 2.5, "std": 0.2}}
    piece["rows_per_second"] = {"mean": 11_000.0, "std": 200.0}
    steps = {"date": "2026-01-01", "batch_size": 2048, "turns": 4, "rows": [piece]}
    write_json(folder / "pieces/summary.json", {**steps, "versions": versions})
    row = {
        "parameters": 10,
        "arguments": {"embedding_dim": 8},
        "rows_per_second": 5.0,
        "seconds_per_epoch": {"mean": 100.0, "std": 1.0},
    }
    names = ["wide_deep", "dcn", "ipnn", "deepfm", "xdeepfm", "interhat", "interhat_s"]
    models = {name: dict(row) for name in names}
    for name, seconds in (("deepfm", 45.0), ("interhat", 90.0)):
        models[name] = {**row, "seconds_per_epoch": {"mean": seconds, "std": 1.0}}
    sizes = {"fields": 36, "features": 605_700, "batch_size": 2048, "epoch_rows": 11_040_000}
    write_json(
        folder / "efficiency/criteo/summary.json",
        {
            "date": "2026-01-01",
            "device": "a machine",
            "sizes": {**sizes, "rounds": 5, "steps": 10},
            "models": models,
        },
    )
    found = [{"rule": "rule_1", "found": {"combined": i > 0}} for i in range(10)]
    write_json(folder / "synthetic/summary.json", {"runs": found})
    return folder


def test_the_pages_have_everything(results):
    tables.main(None)
    readme = (results / "README.md").read_text()
    page = (results / "index.html").read_text()
    for name in ("figure_2", "figure_3", "figure_4"):
        assert (results / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"({name}.png)" in readme
    assert page.count("<img src=") == 3
    summary = read_json(results / "effectiveness/frappe/summary.json")
    for row in summary["models"].values():
        for text in (readme, page):
            assert f"{row['test']['auc']['mean']:.4f} ± {row['test']['auc']['std']:.4f}" in text
    for auc, logloss in TABLE_3["frappe"].values():
        assert f"{auc:.4f} / {logloss:.4f}" in readme
    assert readme.count("embedding_l2 ") == sum(len(found) for found in summary["trials"].values())


def test_beyond_the_paper(results):
    tables.main(None)
    text = (results / "README.md").read_text()
    assert "| Criteo, released | pieces of 16 | 11,000 ± 200 | 1.70 ± 0.10 | 2.50 ± 0.20 |" in text
    assert "| ONNX | 10,000 | 1,500.00 | 2,500.00 |" in text
    assert "| FM | LazyAdam | 60,570,000 | 27.5 ± 1.0 | 9 | 1.07 ± 0.02 |" in text
    summary = read_json(results / "lazy/frappe/summary.json")
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
    assert rows["Table 3, Criteo"][0] == "– not run here"
    assert rows["Table 4 and Figure 8, Rule 1"][0] == "✓ reproduced"
    status, why = rows["Figure 2, least time of six models"]
    assert status == "✗ **not reproduced**"
    assert "place 2 of 6, 2.0 times the seconds of DeepFM" in why


def frappe_summary(**aucs):
    models = {name: {"test": {"auc": {"mean": auc}}} for name, auc in aucs.items()}
    return {"models": models}


@pytest.mark.parametrize(
    ("interhat", "ablation", "status"),
    [
        (0.99, 0.97, "✓ reproduced"),
        (0.95, 0.94, "◐ in part"),
        (0.95, 0.97, "✗ **not reproduced**"),
    ],
)
def test_table_3_comes_back_if_interhat_leads_and_attention_helps(interhat, ablation, status):
    others = {name: 0.98 for name in TABLE_3["frappe"]}
    summary = frappe_summary(**{**others, "interhat": interhat, "interhat_s": ablation})
    assert tables.glance_of_table_3("frappe", summary)[1] == status


def test_a_table_3_of_some_models_says_so():
    row = tables.glance_of_table_3("frappe", frappe_summary(interhat=0.9, fm=0.8))
    assert row[1] == "– not run here" and row[2].startswith("without DCN, DeepFM")


@pytest.mark.parametrize(("lead", "status"), [(0.01, "✓ reproduced"), (0.001, "◐ in part")])
def test_a_lead_within_the_spread_is_no_lead(lead, status):
    points = [
        {"num_heads": heads, "test": {"auc": {"mean": auc, "std": 0.002}}}
        for heads, auc in ((1, 0.97 + lead), (4, 0.97))
    ]
    summary = {"flag": "num_heads", "points": points}
    assert tables.glance_of_sensitivity("title", summary, 1, "command")[1] == status
    other = tables.glance_of_sensitivity("title", summary, 4, "command")
    assert other[1] == "✗ **not reproduced**" and other[2].startswith("here 1 by mean AUC")


def test_texts_are_escaped():
    sections = [
        Section(
            "<b>A & B</b>",
            [
                "x < y",
                Table(["<i>"], [["<script>alert(1)</script>", "**bold**", "`code` *italic*"]]),
            ],
        )
    ]
    page = html_page("<title>", sections)
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "<strong>bold</strong>" in page and "<code>code</code> <em>italic</em>" in page
    assert "&lt;b&gt;A &amp; B&lt;/b&gt;" in page


def test_markdown_of_each_block():
    picture = Picture("figure_9", "what it shows", b"", b"")
    table = Table(["a", "b"], [["1", "2"]], fold="more")
    text = markdown("T", [Section("S", ["words", table, picture])])
    assert text.startswith("# T\n\n## S\n\nwords\n")
    assert "<details><summary>more</summary>\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n" in text
    assert "![what it shows](figure_9.png)" in text


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_same_summary_gives_the_same_picture(form):
    point = {"test": {m: {"mean": 0.5, "std": 0.1} for m in ("auc", "logloss")}, "seeds": [1]}
    summary = {"flag": "order", "points": [{"order": k, **point} for k in (1, 2)]}
    pictures = [as_bytes(sensitivity_figure({"x": summary}, "k"), form) for _ in range(2)]
    assert pictures[0] == pictures[1]
