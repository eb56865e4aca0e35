import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.faithfulness import rare_values
from experiments.faithfulness.rare_values import DNN, LOGS, InterHAt, ScalesOfOne, draw, figures
from experiments.report.faithfulness_page import of_rare


def test_clicks_depend_on_the_user_and_the_app_alone(rng):
    table = draw(rng, 20_000, np.where(rng.random(20_000) < 0.5, "ios", "android"))
    users, apps = (
        np.array([int(v[1:]) for v in table[name].to_pylist()]) for name in ("user", "app")
    )
    clicks = np.array(table["click"])
    for parity, rate in ((1, 0.75), (0, 0.2)):
        for system in ("ios", "android"):
            chosen = ((users + apps) % 2 == parity) & (np.array(table["system"]) == system)
            assert clicks[chosen].mean() == pytest.approx(rate, abs=0.03)


def test_figures_are_of_all_models():
    runs = [{"rare": {"weight": w, "logloss": x}} for w, x in ((0.1, 0.5), (0.6, 0.65), (0.9, 0.8))]
    found = figures(runs, "rare")
    assert found == pytest.approx({"taken": 2, "weight": 0.9, "logloss": 0.65, "worst": 0.8})
    of_dnn = [{"rare": {"logloss": 0.5}}, {"rare": {"logloss": 0.7}}]
    assert figures(of_dnn, "rare") == pytest.approx({"logloss": 0.6, "worst": 0.7})


@pytest.mark.parametrize("kind", [ScalesOfOne, InterHAt])
def test_scales_of_one_stay(schema, kind):
    model = kind.from_preset("tuned", schema, rows=1000)
    fields = np.ones((1000, len(schema.categorical)), "int32")
    fields[0] = 2
    batch = {"categorical": fields, "numerical": np.ones((1000, len(schema.numerical)))}
    model.adapt_scores([batch])
    ones = [(np.asarray(a.normalization.gamma) == 1).all() for a in model.aggregations]
    assert all(ones) == (kind is ScalesOfOne)


@pytest.mark.slow
def test_a_rare_system_takes_no_order(study_flags, monkeypatch):
    found = rare_values.run(InterHAt, LOGS["names"], seed=6)
    of_dnn = {name: {"logloss": row["logloss"]} for name, row in found.items()}
    monkeypatch.setattr(rare_values, "run", lambda kind, *_: of_dnn if kind is DNN else found)
    with flagsaver.flagsaver(seeds=[6]):
        rare_values.main(None)
    written = read_result("faithfulness/rare_values/names.json")
    systems = written["forms"]["as it comes"]["systems"]
    assert not any(row["taken"] for row in systems.values())
    table = of_rare([written])
    assert table.rows[1][:4] == ["names", "scales of 1", "rare", "0 of 1"]
    assert table.rows[-1][1:5] == ["DNN", "unknown", "–", "–"]
    assert len(table.rows) == 9
