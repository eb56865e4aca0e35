import numpy as np
import pytest

from experiments.common.results import write_result
from experiments.report.sensitivity_page import leads_over_own, sensitivity, sensitivity_figure


def point(heads, auc):
    test = {"auc": {"mean": auc, "std": 0.001}, "logloss": {"mean": 1 - auc, "std": 0.002}}
    return {"num_heads": heads, "test": test, "seeds": [1, 2]}


def drawn(data):
    summary = {"flag": "num_heads", "points": [point(1, 0.7), point(8, 0.8), point(12, 0.75)]}
    return sensitivity_figure({data: summary}, "figure_3", "number of heads")


@pytest.mark.parametrize(
    ("data", "best"), [("criteo", 8), ("frappe", 1), ("criteo_generated", None)]
)
def test_the_papers_best_has_a_line_and_a_generated_log_has_none(data, best):
    panel, _ = drawn(data).axes
    dotted = [line.get_xdata()[0] for line in panel.lines if line.get_linestyle() == ":"]
    assert dotted == ([best] if best else [])


def test_means_and_errors_are_those_of_test():
    panel, twin = drawn("frappe").axes
    for axis, means, std in ((panel, [0.7, 0.8, 0.75], 0.001), (twin, [0.3, 0.2, 0.25], 0.002)):
        (bars,) = axis.containers
        np.testing.assert_allclose(bars.lines[0].get_ydata(orig=False), means)
        ends = [segment[:, 1] for segment in bars.lines[2][0].get_segments()]
        np.testing.assert_allclose(np.ptp(ends, axis=1), 2 * std)


def test_leads_are_over_the_presets_own_value_and_paired_by_seed():
    aucs = {1: [0.71, 0.72, 0.73], 4: [0.70, 0.70, 0.70], 8: [0.69, 0.69, 0.69]}
    points = [
        {"num_heads": heads, "runs": [{"test": {"auc": auc}} for auc in values]}
        for heads, values in aucs.items()
    ]
    summary = {"flag": "num_heads", "own": 4, "points": points}
    first, own, last = leads_over_own(summary)
    assert first == "+0.0200 [-0.0048, +0.0448]"
    assert (own, last) == ("–", "-0.0100 [-0.0100, -0.0100]")
    assert leads_over_own({**summary, "own": 12}) == ["–"] * 3


def test_a_point_has_its_figures_of_test_and_of_validation(study_flags, measured):
    runs = [{"test": {"auc": 0.7}}] * 2
    more = {"parameters": 1234, "seconds_per_epoch": {"mean": 1.25}, "runs": runs}
    one = {**point(1, 0.7), "validation": {"auc": {"mean": 0.75, "std": 0.01}}, **more}
    about = {**measured, "data": {"set": "frappe"}, "preset": "released"}
    summary = {**about, "flag": "num_heads", "own": 4, "points": [one]}
    write_result("figure_3/frappe/summary.json", summary)
    ((row,),) = [part["scores"].rows for part in sensitivity("figure_3", "heads")]
    assert row[:4] == ["Frappe", "1", "0.7000 ± 0.0010", "0.3000 ± 0.0020"]
    assert row[4:] == ["–", "0.7500 ± 0.0100", "1,234", "1.2"]
