"""Tests of the page's part on time to quality, on a made-up summary."""

import pytest

from experiments.report.quality_page import draw


def test_curves_begin_when_the_log_is_prepared():
    curve = [{"seconds": 10.0, "logloss": 0.5}, {"seconds": 20.0, "logloss": 0.4}]
    summary = {"prepared": {"seconds": 12.0}, "models": {"interhat": {"curve": curve}}}
    line, prepared = draw(summary).axes[0].lines
    assert line.get_xdata() == pytest.approx([22, 32])
    assert line.get_ydata() == pytest.approx([0.5, 0.4]) and prepared.get_xdata()[0] == 12


def test_seconds_until_each_best(measured, page_of):
    def curve(*points, limit=60.0):
        return {
            "limit": limit,
            "curve": [{"seconds": s, "logloss": x, "epoch": 1} for s, x in points],
        }

    models = {"interhat": curve((10, 0.5), (20, 0.4)), "lightgbm": curve((5, 0.45), limit=30.0)}
    models["ebm"] = {"failed": "its process was ended", "curve": [], "limit": 60.0}
    seconds = {"interhat": 32.0, "lightgbm": None, "ebm": None}
    reached = {"interhat": {"logloss": 0.4, "seconds": seconds}}
    reached["lightgbm"] = {"logloss": 0.45, "seconds": {**seconds, "lightgbm": 1017.0}}
    summary = {**measured, "data": {"set": "quality/1.0.0", "note": "generated"}, "threads": 2}
    summary |= {"prepared": {"rows": 5000, "seconds": 12.0}}
    text = page_of(time_to_quality={**summary, "models": models, "reached": reached})
    assert "| InterHAt | 0.4000 | 32 | – | – |" in text
    assert "| LightGBM | 0.4500 | 32 | 1,017 | – |" in text
    assert "EBM: its process was ended" in text and "(time_to_quality_quality_5000.png)" in text
    assert "60 s at most for InterHAt, EBM; 30 s at most for LightGBM." in text
