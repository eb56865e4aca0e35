import pytest

from experiments.report.at_a_glance import NOT, NOT_RUN, PARTLY, REPRODUCED, of_figure_2
from experiments.report.figure_2_page import dots_of, figure_2, seconds_per_epoch
from experiments.report.grid_cells import FORMS

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
    assert figure_2(summary)["dots"].png.startswith(b"\x89PNG")


def test_each_form_is_judged_by_its_own_seconds(summary):
    forms = "interhat", "interhat_paper", "interhat_wide", "interhat_tuned"
    titles = [row[0].removeprefix("Figure 2, least time of six: ") for row in of_figure_2(None)]
    assert titles == [FORMS[form] for form in forms]
    assert {row[1] for row in of_figure_2(None)} == {NOT_RUN}
    (criteo,) = summary["groups"]
    avazu = {**criteo, "of": {"size": "avazu"}, "rows": [dict(row) for row in criteo["rows"]]}
    summary["groups"].append(avazu)
    for group, seconds in ((criteo, 0.5), (avazu, 1.5)):
        group["rows"].append({"model": "interhat_paper", "seconds": seconds})
    released, paper, wide, tuned = (row[1:] for row in of_figure_2(summary))
    # The ablation, and the other form, are none of the six.
    rank = "rank 2 of 6, 2.0 times the seconds of DeepFM"
    assert released == [NOT, f"Criteo: {rank}; Avazu: {rank}"]
    first = "Criteo: rank 1 of 6, 0.5 times the seconds of DeepFM"
    assert paper == [PARTLY, f"{first}; Avazu: rank 2 of 6, 1.5 times the seconds of DeepFM"]
    assert wide[0] == tuned[0] == NOT_RUN
    avazu["rows"][-1]["seconds"] = 0.9
    assert of_figure_2(summary)[1][1] == REPRODUCED


def test_a_dot_stands_at_its_models_seconds(summary):
    (panel,) = dots_of(summary).axes
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names[:3] == ["InterHAt-S", "DeepFM", "InterHAt, released"]
    seconds = panel.collections[-1].get_offsets()[:, 0]
    assert (seconds[:3] / seconds[0]).tolist() == pytest.approx([1, 2, 4])


def test_an_epoch_is_that_of_the_rows_own_data_set():
    row = {"size": "avazu", "batch": 1000, "seconds": 0.5, "deviation": 0.1}
    assert seconds_per_epoch(row) == {"mean": 4840, "std": 968}
