import pytest

from experiments.speed import timed_cases
from experiments.speed.grids import Case
from interhat_tf import kernels

SMALL = {"size": "frappe", "batch": 8}


@pytest.fixture(autouse=True)
def fresh_state(monkeypatch):
    """What a process has prepared, as if it had just started."""
    monkeypatch.setattr(timed_cases, "_calls", {})
    monkeypatch.setattr(timed_cases, "_models", {})


def test_a_case_reaches_the_model():
    case = Case(**SMALL, features=600, fields=3, changed={"num_heads": 5, "order": 2})
    facts = timed_cases.prepare(0, case)
    (model,) = timed_cases._models.values()
    assert model.num_fields == 3 and sum(model.schema.vocabulary_sizes) == 600
    assert (model.attention.num_heads, model.order) == (5, 2)
    assert facts["arguments"]["num_heads"] == 5
    assert facts["parameters"] == model.count_params()
    assert facts["flops"] > 0 and facts["bytes"] > facts["map_bytes"]
    assert (facts["map_bytes"] > 0) == (not kernels.LIBRARY.exists())
    assert 0 < timed_cases.time_case(0, 1) < 60


@pytest.mark.parametrize(
    "how",
    [
        {"model": "fm", "work": "prediction"},
        {"work": "explanation"},
        {"model": "fm", "work": "update", "optimizer": "lazy_adam"},
        pytest.param({"code": "keras"}, marks=pytest.mark.slow),
        {"model": "fm", "jit_compile": True, "precision": "mixed_bfloat16", "work": "prediction"},
    ],
)
def test_a_work_is_timed(how):
    assert "flops" not in timed_cases.prepare(3, Case(**SMALL, fields=4, features=600, **how))
    assert timed_cases.time_case(3, 2) > 0


def test_a_step_takes_the_average_along():
    costs = []
    for number, momentum in enumerate((None, 0.999)):
        facts = timed_cases.prepare(number, Case("fm", **SMALL, ema_momentum=momentum))
        assert timed_cases.time_case(number, 1) > 0
        costs.append(facts["bytes"])
    assert costs[1] > costs[0]


def test_cases_of_a_process_share_a_model():
    for i, work in enumerate(("step", "prediction")):
        timed_cases.prepare(i, Case("fm", **SMALL, work=work))
    assert len(timed_cases._models) == 1 and len(timed_cases._calls) == 2
