import pytest
from scipy import stats

from experiments.common.statistics import leads, mean_and_std, paired_difference


def test_mean_and_std():
    assert mean_and_std([1.0, 2.0, 3.0]) == {"mean": 2.0, "std": 1.0}
    assert mean_and_std([5.0]) == {"mean": 5.0, "std": 0.0}


def test_paired_difference_is_students(rng):
    ours, theirs = rng.random(5), rng.random(5)
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    found = paired_difference(ours, theirs)
    assert found["mean"] == pytest.approx((ours - theirs).mean())
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))


def test_paired_difference_of_one_run_has_no_interval():
    found = paired_difference([0.5], [0.25])
    assert found == {"mean": 0.25, "low": None, "high": None}


def test_leads_are_paired_by_seed():
    def row(**aucs):
        runs = [
            {"seed": int(seed[1:]), "test": {"auc": auc, "logloss": 1 - auc}}
            for seed, auc in aucs.items()
        ]
        return {"runs": runs}

    found = leads({"a": row(s1=0.9, s2=0.8, s6=0.1), "b": row(s2=0.7, s1=0.8, s3=0.2)}, "a")
    assert set(found) == {"b"}
    assert found["b"]["auc"]["mean"] == pytest.approx(0.1)
    assert found["b"]["logloss"]["high"] == pytest.approx(-0.1)
    assert leads({"b": row(s1=0.8)}, "a") == {}
    assert leads({"a": row(s1=0.8), "b": row(s2=0.8)}, "a") == {}
