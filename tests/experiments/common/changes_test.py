import statistics

import pytest
from absl.testing import flagsaver

from experiments.common.changes import try_changes
from interhat_tf.utils.files import read_json
from tests.experiments.conftest import report_of

FORM = {"model": "interhat", "preset": "released"}
CHANGES = {"released": {}, "wider": {"mlp_units": [64]}}


def rows(study_flags):
    return read_json(study_flags / "results/some/frappe/summary.json")["changes"]


def test_each_change_has_all_seeds_and_never_the_test_split(study_flags, fake_runs, fake_data):
    try_changes("some", FORM, CHANGES, lambda run: {"folder": run["output_dir"]})
    assert len(fake_runs.asked) == 6
    assert all(run["test"] is False for run in fake_runs.asked)
    wider = rows(study_flags)["wider"]
    assert wider["flags"] == {"mlp_units": [64]}
    of_wider = [run for run in fake_runs.asked if "mlp_units" in run]
    aucs = [report_of(run)["validation"]["auc"] for run in of_wider]
    assert wider["validation"]["auc"]["mean"] == pytest.approx(statistics.fmean(aucs))
    assert wider["validation"]["auc"]["std"] == pytest.approx(statistics.stdev(aucs))
    assert [run["seed"] for run in wider["runs"]] == [1, 2, 3]
    assert [run["folder"] for run in wider["runs"]] == [run["output_dir"] for run in of_wider]


def test_a_change_of_its_own_leaves_the_other_rows(study_flags, fake_runs, fake_data):
    with flagsaver.flagsaver(change=["wider"]):
        try_changes("some", FORM, CHANGES)
    with flagsaver.flagsaver(change=["released"], seeds=[5]):
        try_changes("some", FORM, CHANGES)
    assert list(rows(study_flags)) == ["released", "wider"]
    assert [run["seed"] for run in rows(study_flags)["released"]["runs"]] == [5]


def test_rows_of_other_data_or_epochs_are_not_kept(study_flags, fake_runs, fake_data, monkeypatch):
    def after(name, **given):
        with flagsaver.flagsaver(change=[name], **given):
            try_changes("some", FORM, CHANGES)
        return list(rows(study_flags))

    after("released")
    assert after("wider", note="another note") == ["released", "wider"]
    assert after("wider", epochs=1) == ["wider"]
    assert after("released") == ["released"]
    monkeypatch.setattr(type(fake_data), "statistics", {"records": 7})
    assert after("wider") == ["wider"]


def test_several_changes_at_a_time_follow_single_ones(study_flags, fake_runs, fake_data):
    changes = {**CHANGES, "faster": {"learning_rate": 0.1}}
    for names in (["wider + faster", "released + wider"], ["faster"]):
        with flagsaver.flagsaver(change=names):
            try_changes("some", FORM, changes)
    assert list(rows(study_flags)) == ["faster", "released + wider", "wider + faster"]
    assert rows(study_flags)["wider + faster"]["flags"] == {"mlp_units": [64], "learning_rate": 0.1}
    assert fake_runs.asked[0]["mlp_units"] == [64]
    assert fake_runs.asked[0]["learning_rate"] == 0.1


@pytest.mark.parametrize("name", ["widest", "released + widest"])
def test_an_unknown_change(study_flags, fake_runs, name):
    with (
        flagsaver.flagsaver(change=[name]),
        pytest.raises(ValueError, match="--change: widest: not of released, wider"),
    ):
        try_changes("some", FORM, CHANGES)
    assert not fake_runs.asked


def test_what_is_said_of_a_run_stays_with_its_seed(study_flags, fake_runs, fake_data):
    with flagsaver.flagsaver(seeds=[3, 1, 2], change=["wider"]):
        try_changes("some", FORM, CHANGES, lambda run: {"looked_at": run["seed"]})
    assert [run["looked_at"] for run in rows(study_flags)["wider"]["runs"]] == [1, 2, 3]
