import pytest

from experiments.report.at_a_glance import of_figure_2
from experiments.report.figure_2_page import figure_2

SIX = ["wide_deep", "dcn", "ipnn", "deepfm", "xdeepfm", "interhat"]


@pytest.fixture
def summary(grid_of):
    """DeepFM in 1 s, InterHAt in 2 s, all others in 3 s, its ablation fastest of all."""
    seconds = {**dict.fromkeys(SIX, 3.0), "deepfm": 1.0, "interhat": 2.0, "interhat_s": 0.5}
    known = {"parameters": 1234, "arguments": {"order": 3, "dense_l2": 0.0}}
    rows = [{"model": model, "seconds": time, **known} for model, time in seconds.items()]
    return grid_of({"size": "criteo"}, rows)


def test_seconds_of_an_epoch(summary, page_of):
    text = page_of(figure_2=summary)
    # 11,040,000 rows in steps of 2,048.
    row = "| Criteo | InterHAt, released | 10,781 ± 539 | 1.00 | 1,024 | 1,234 | order 3 |"
    assert row in text
    assert "| Criteo | DeepFM | 5,391 ± 539 | 0.50 | 2,048 |" in text
    assert "at commit abc" in text and "--grid=figure_2" in text
    assert figure_2(summary)["bars"].png.startswith(b"\x89PNG")


def test_what_came_back(summary):
    assert of_figure_2(None)[1] == "– not run here"
    _, status, why = of_figure_2(summary)
    assert status == "✗ **not reproduced**"
    assert why == "Criteo: rank 2 of 6, 2.0 times the seconds of DeepFM"
    for row in summary["groups"][0]["rows"]:
        row["seconds"] = 0.1 if row["model"] == "interhat" else row["seconds"]
    assert of_figure_2(summary)[1] == "✓ reproduced"
