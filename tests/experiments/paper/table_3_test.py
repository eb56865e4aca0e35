"""The logic of Table 3's experiment on made-up reports, and all of it once, small, for real."""

import pytest
from absl.testing import flagsaver

from experiments.common import studies
from experiments.common.running import RunFailed
from experiments.common.search import draw
from experiments.common.search_spaces import search_space
from experiments.common.table_3_files import read_table_3
from experiments.paper import table_3
from experiments.report import tables
from interhat_tf.utils.files import read_json, write_json
from tests.commands.train_test import write_raw
from tests.experiments.conftest import report_of


@pytest.fixture
def rows(study_flags, fake_runs, fake_data, monkeypatch):
    """Returns a function that reads the files of the rows, once the experiment has run."""
    memory = {"fields": ["user", "item"], "auc": 1, "logloss": 0}
    monkeypatch.setattr(table_3, "memorisation_baseline", lambda data: memory)
    folder = study_flags / "results/table_3/frappe"

    def run(**given):
        usual = {"models": ["fm", "interhat", "released"], "trials": 4, "wider": 0}
        with flagsaver.flagsaver(**{**usual, "leaders": 0, **given}):
            table_3.main(None)
        return {path.stem: read_json(path) for path in folder.glob("*.json")}

    return run


def trials_asked(fake_runs, model):
    return [run for run in fake_runs.asked if run["model"] == model and run["seed"] == 0]


def seeds_asked(fake_runs, model):
    return [run["seed"] for run in fake_runs.asked if run["model"] == model and run["seed"] != 0]


def test_all_trials_are_kept_the_best_on_validation_first(rows):
    found = rows()
    assert set(found) == {"fm", "interhat", "released", "memorisation"}
    for name in ("fm", "interhat"):
        trials = found[name]["trials"]
        drawn = draw(search_space("frappe", name), 4, seed=name)
        assert sorted(map(str, drawn)) == sorted(str(trial["setting"]) for trial in trials)
        scores = [t["validation"]["auc"] - t["validation"]["logloss"] for t in trials]
        assert scores == sorted(scores, reverse=True)
        assert found[name]["setting"] == trials[0]["setting"]
        assert {trial["why"] for trial in trials} == {"drawn"}
        assert {"date", "versions", "data"} <= set(found[name])


def test_only_the_final_runs_read_the_test_split(rows, fake_runs):
    found = rows()
    trials = [run for run in fake_runs.asked if run["seed"] == 0]
    assert len(trials) == 8 and not any(run["test"] for run in trials)
    assert all("test" not in trial for row in found.values() for trial in row.get("trials", []))
    finals = [run for run in fake_runs.asked if run["seed"] != 0]
    assert len(finals) == 3 * 3 and all("test" not in run for run in finals)


def test_the_final_runs_have_the_chosen_setting(rows, fake_runs):
    found = rows(models=["fm"])
    finals = [run for run in fake_runs.asked if run["seed"] != 0]
    assert [run["seed"] for run in finals] == [1, 2, 3]
    assert all(found["fm"]["setting"].items() <= run.items() for run in finals)
    expected = [report_of(run)["test"]["auc"] for run in finals]
    assert [run["test"]["auc"] for run in found["fm"]["row"]["runs"]] == expected


def test_a_space_of_one_setting_is_not_searched(rows, fake_runs):
    found = rows(models=["released"])["released"]
    assert found["trials"] == [] and found["row"]["seeds"] == [1, 2, 3]
    assert not {"lr", "fm"} & {run["model"] for run in fake_runs.asked}
    assert {run["preset"] for run in fake_runs.asked} == {"released"}


def scored(monkeypatch, auc):
    """Makes each run's AUC on validation what a function of its flags says."""

    def train_runs(runs, workers, keep_failures=False):
        for run in runs:
            yield run, {**report_of(run), "validation": {"auc": auc(run), "logloss": 0.3}}

    monkeypatch.setattr(studies, "train_runs", train_runs)


def test_a_best_at_the_edge_is_followed_outward(rows, monkeypatch):
    """The larger the learning rate the better: each round moves it one step."""
    scored(monkeypatch, lambda run: 0.5 + run["learning_rate"])
    space = {"learning_rate": (1e-3, 2e-3), "embedding_l2": (0.0,)}
    monkeypatch.setattr(table_3, "search_space", lambda *_: space)
    found = rows(models=["lr"], trials=2, wider=3)["lr"]
    tried = [trial["setting"]["learning_rate"] for trial in found["trials"]]
    assert tried == [0.016, 0.008, 0.004, 0.002, 0.001]
    assert [trial["why"] for trial in found["trials"]] == ["wider"] * 3 + ["drawn"] * 2
    assert found["setting"]["learning_rate"] == 0.016
    assert found["edges"] == {"learning_rate": 0.032}
    assert sorted(found["space"]["learning_rate"]) == [0.001, 0.002, 0.004, 0.008, 0.016]


def test_a_best_inside_ends_the_search(rows, monkeypatch):
    middle = search_space("frappe", "lr")["learning_rate"][1]
    scored(monkeypatch, lambda run: 0.8 if run["learning_rate"] == middle else 0.7)
    found = rows(models=["lr"], trials=12, wider=50)["lr"]
    assert found["edges"] == {} and found["setting"]["learning_rate"] == middle
    # At most the penalty was at an edge, and one step shows that it is no better beyond.
    assert len(found["trials"]) in (12, 13)


def failing(monkeypatch, fails):
    """Makes the runs fail for which `fails` is true."""

    def train_runs(runs, workers, keep_failures=False):
        for run in runs:
            failed = fails(run)
            if failed and not keep_failures:
                raise RunFailed("no memory")
            yield run, {"failed": "no memory"} if failed else report_of(run)

    monkeypatch.setattr(studies, "train_runs", train_runs)


def test_a_trial_that_fails_is_recorded_and_not_chosen(rows, monkeypatch):
    failing(monkeypatch, lambda run: run["seed"] == 0 and run["embedding_dim"] == 64)
    found = rows(models=["fm"])["fm"]
    failed = [trial for trial in found["trials"] if "failed" in trial]
    assert failed and failed == found["trials"][-len(failed) :]
    assert all(trial["setting"]["embedding_dim"] == 64 for trial in failed)
    assert failed[0]["failed"] == "no memory"
    assert found["setting"]["embedding_dim"] != 64 and found["row"]["seeds"] == [1, 2, 3]


def test_a_trial_that_failed_is_tried_again_at_the_next_start(rows, fake_runs, monkeypatch):
    train_runs = studies.train_runs
    failing(monkeypatch, lambda run: run["seed"] == 0 and run["embedding_dim"] == 64)
    given = {"models": ["fm"], "trials": 12, "wider": 2}
    first = rows(**given)["fm"]
    lacking = [trial["setting"] for trial in first["trials"] if "failed" in trial]
    monkeypatch.setattr(studies, "train_runs", train_runs)
    fake_runs.asked.clear()
    again = rows(**given)["fm"]
    assert len(lacking) == 4
    retried = trials_asked(fake_runs, "fm")[: len(lacking)]
    assert all(s.items() <= run.items() for s, run in zip(lacking, retried, strict=True))
    assert not any("failed" in trial for trial in again["trials"])
    fake_runs.asked.clear()
    assert rows(**given)["fm"] == again and not fake_runs.asked


def test_a_trial_that_fails_stays_on_the_file_and_is_tried_once_a_start(rows, monkeypatch):
    asked = []

    def fails(run):
        asked.append(run)
        return run["seed"] == 0 and run["embedding_dim"] == 64

    failing(monkeypatch, fails)
    first = rows(models=["fm"], wider=2)["fm"]
    known = [trial for trial in first["trials"] if "failed" in trial]
    for _ in range(2):
        asked.clear()
        again = rows(models=["fm"], wider=2)["fm"]
        assert len(asked) == len(known) > 0  # neither the others nor the final runs
        assert again["trials"] == first["trials"] and again["row"] == first["row"]


@pytest.mark.parametrize("seed", [0, 2])
def test_a_row_that_fails_does_not_end_the_study(rows, monkeypatch, study_flags, seed):
    failing(monkeypatch, lambda run: run["model"] == "fm" and run["seed"] == seed)
    with pytest.raises(ValueError, match=r"fm: .*no memory"):
        rows()
    found = read_table_3("frappe")
    assert list(found["models"]) == ["interhat", "released"]


class Stopped(Exception):
    pass


@pytest.mark.parametrize("after", [1, 3, 4, 6])
def test_a_study_that_is_stopped_goes_on_from_the_rows_file(rows, fake_runs, monkeypatch, after):
    """The file alone is enough: no run is trained twice, and the row is the same."""
    expected = rows(models=["dnn"], wider=2)["dnn"]
    total = len(fake_runs.asked)
    fake_runs.asked.clear()
    train_runs = studies.train_runs

    def stopping(runs, workers, keep_failures=False):
        for pair in train_runs(runs, workers, keep_failures):
            if len(fake_runs.asked) > after:
                raise Stopped
            yield pair

    monkeypatch.setattr(studies, "train_runs", stopping)
    with pytest.raises(Stopped):
        rows(models=["dnn"], wider=2, redo=True)
    monkeypatch.setattr(studies, "train_runs", train_runs)
    fake_runs.asked.clear()
    found = rows(models=["dnn"], wider=2)["dnn"]
    assert len(fake_runs.asked) == total - after
    assert found["trials"] == expected["trials"] and found["row"] == expected["row"]


def test_what_is_done_is_skipped_without_its_runs(rows, fake_runs):
    first = rows(models=["fm"])
    fake_runs.asked.clear()
    assert rows(models=["fm"]) == first
    assert fake_runs.asked == []
    rows()  # the others are left
    assert {run["model"] for run in fake_runs.asked} <= {"interhat", "interhat_s"}


def test_a_row_of_another_search_is_searched_again(rows, fake_runs, monkeypatch):
    rows(models=["fm"])
    fake_runs.asked.clear()
    assert len(rows(models=["fm"], trials=5)["fm"]["trials"]) == 5
    assert len(trials_asked(fake_runs, "fm")) == 5
    fake_runs.asked.clear()
    narrow = {**search_space("frappe", "fm"), "embedding_dim": (4,)}
    monkeypatch.setattr(table_3, "search_space", lambda *_: narrow)
    assert rows(models=["fm"], trials=5)["fm"]["setting"]["embedding_dim"] == 4
    assert len(trials_asked(fake_runs, "fm")) == 5


def test_a_row_of_other_epochs_is_searched_again(rows, fake_runs):
    """Trees have no such epochs, and their row is the same."""
    models = ["fm", "lightgbm"]
    first = rows(models=models)
    assert all("epochs" not in first[name]["asked"] for name in models)
    fake_runs.asked.clear()
    short = rows(models=models, epochs=1)
    assert short["fm"]["asked"]["epochs"] == 1 and short["lightgbm"] == first["lightgbm"]
    assert len(trials_asked(fake_runs, "fm")) == 4 and seeds_asked(fake_runs, "fm") == [1, 2, 3]
    assert all(run["max_epochs"] == 1 for run in fake_runs.asked)
    fake_runs.asked.clear()
    assert rows(models=models, epochs=1) == short and not fake_runs.asked


def test_the_memorisation_baseline_is_of_the_data_of_now(rows, fake_data, monkeypatch):
    first = rows(models=["fm"])["memorisation"]
    monkeypatch.setattr(table_3, "memorisation_baseline", lambda data: {"auc": 0.5})
    assert rows(models=["fm"])["memorisation"] == first
    assert rows(models=["fm"], redo=True)["memorisation"]["memorisation"] == {"auc": 0.5}
    monkeypatch.setattr(table_3, "memorisation_baseline", lambda data: {"auc": 0.6})
    monkeypatch.setattr(fake_data.__class__, "statistics", {"records": 7})
    again = rows(models=["fm"])["memorisation"]
    assert again["memorisation"] == {"auc": 0.6} and again["data"]["statistics"] == {"records": 7}


def test_more_wider_trials_are_added_to_those_of_the_file(rows, monkeypatch):
    """The final runs stay where the choice does, also if the study is stopped on its way."""
    asked = []

    def auc(run):
        asked.append((run["learning_rate"], run["seed"]))
        return 0.9 - abs(run["learning_rate"] - 0.004)

    scored(monkeypatch, auc)
    space = {"learning_rate": (1e-3, 2e-3), "embedding_l2": (0.0,)}
    monkeypatch.setattr(table_3, "search_space", lambda *_: space)
    first = rows(models=["lr"], trials=2, wider=1)["lr"]
    assert first["setting"]["learning_rate"] == 0.004 and first["edges"]
    asked.clear()
    train_runs = studies.train_runs

    def stopping(*arguments, **named):
        yield from train_runs(*arguments, **named)
        raise Stopped

    monkeypatch.setattr(studies, "train_runs", stopping)
    with pytest.raises(Stopped):
        rows(models=["lr"], trials=2, wider=2)
    monkeypatch.setattr(studies, "train_runs", train_runs)
    found = rows(models=["lr"], trials=2, wider=2)["lr"]
    assert asked == [(0.008, 0)]
    assert len(found["trials"]) == 4 and found["edges"] == {}
    assert found["row"] == first["row"] and "before" not in found
    assert rows(models=["lr"], trials=2, wider=0)["lr"]["trials"] == found["trials"]


def test_a_row_is_searched_again_on_request(rows, fake_runs):
    rows(models=["fm"])
    rows(models=["fm"], redo=True)
    assert len(trials_asked(fake_runs, "fm")) == 8


def test_seeds_are_added_to_a_row_without_its_runs(rows, fake_runs):
    before = rows(models=["fm"])["fm"]
    fake_runs.asked.clear()
    after = rows(models=["fm"], seeds=[1, 2, 3, 4])["fm"]
    assert [run["seed"] for run in fake_runs.asked] == [4]
    assert after["row"]["seeds"] == [1, 2, 3, 4]
    assert after["row"]["runs"][:3] == before["row"]["runs"]
    aucs = [run["test"]["auc"] for run in after["row"]["runs"]]
    assert after["row"]["test"]["auc"]["mean"] == pytest.approx(sum(aucs) / 4)
    assert after["trials"] == before["trials"]


def test_a_row_is_complete_with_the_seeds_that_are_asked_for_now(rows, fake_runs, monkeypatch):
    """Though it was killed with more of them to come."""
    train_runs, unbroken = studies.train_runs, rows(models=["fm"], seeds=[1, 2])["fm"]

    def killed(runs, *arguments, **named):
        yield from train_runs(runs if runs[0]["seed"] == 0 else runs[:2], *arguments, **named)
        if runs[0]["seed"] != 0:
            raise Stopped

    monkeypatch.setattr(studies, "train_runs", killed)
    with pytest.raises(Stopped):
        rows(models=["fm"], seeds=[1, 2, 3, 4], redo=True)
    monkeypatch.setattr(studies, "train_runs", train_runs)
    fake_runs.asked.clear()
    found = rows(models=["fm"], seeds=[1, 2])["fm"]
    assert found["row"] == unbroken["row"] and "unfinished" not in found
    assert [run["seed"] for run in fake_runs.asked] == [2]


def test_interhat_and_the_first_places_by_validation_get_more_seeds(rows, monkeypatch):
    scored(monkeypatch, lambda run: 0.9 if run["model"] == "fm" else 0.8)
    rows(models=["lr", "fm", "dnn", "interhat"], leaders=1, more_seeds=[6, 7])
    found = {name: row["seeds"] for name, row in read_table_3("frappe")["models"].items()}
    few, many = [1, 2, 3], [1, 2, 3, 6, 7]
    assert found == {"lr": few, "fm": many, "dnn": few, "interhat": many}


def test_a_row_that_was_asked_for_something_else_gets_no_more_seeds(rows, fake_runs, study_flags):
    rows(models=["lr", "fm"])
    earlier = study_flags / "results/table_3/frappe/lr.json"  # does not say what it was asked
    write_json(earlier, {k: v for k, v in read_json(earlier).items() if k != "asked"})
    fake_runs.asked.clear()
    found = rows(models=["interhat"], epochs=2, leaders=3, more_seeds=[6])
    seeds = {name: found[name]["row"]["seeds"] for name in ("lr", "fm", "interhat")}
    assert seeds == {"lr": [1, 2, 3], "fm": [1, 2, 3], "interhat": [1, 2, 3, 6]}
    assert not {"lr", "fm"} & {run["model"] for run in fake_runs.asked}


def test_leads_are_of_the_common_seeds(rows):
    rows(models=["fm"])
    rows(models=["interhat"], seeds=[2, 3, 4])
    table = read_table_3("frappe")
    fm, interhat = (
        {run["seed"]: run["test"]["auc"] for run in table["models"][name]["runs"]}
        for name in ("fm", "interhat")
    )
    expected = sum(interhat[seed] - fm[seed] for seed in (2, 3)) / 2
    assert table["differences"]["fm"]["auc"]["mean"] == pytest.approx(expected)


def test_it_says_how_long_the_rest_takes(rows, capsys):
    rows(models=["lr", "fm"], workers=2)
    # 4 trials and 3 final runs of 10 seconds, and 10 to start, two at a time.
    assert f"rows left: 1, about {7 * 20 / 2 / 3600:.1f} h" in capsys.readouterr().out


def test_the_seed_that_chose_is_no_final_seed(study_flags):
    for given in ({"seeds": [0, 1]}, {"more_seeds": [0]}):
        with flagsaver.flagsaver(**given), pytest.raises(ValueError, match="seed 0 chose"):
            table_3.main(None)


@pytest.mark.slow
def test_the_whole_of_it_stops_and_goes_on(study_flags, runs_in_process, tmp_path):
    raw = write_raw(tmp_path / "raw")

    def run(**given):
        usual = {"raw_dir": str(raw), "models": ["lr", "fm"], "trials": 2, "wider": 1}
        with flagsaver.flagsaver(**{**usual, "seeds": [1], "leaders": 0, "epochs": 1, **given}):
            table_3.main(None)

    run(models=["lr"])
    path = tmp_path / "results/table_3/frappe/lr.json"
    first = path.read_bytes()
    for report in (tmp_path / "runs/frappe").glob("lr-*/report.json"):
        report.unlink()  # another machine does not have the runs
    run()
    assert path.read_bytes() == first
    assert not list((tmp_path / "runs/frappe").glob("lr-*/report.json"))
    assert set(read_table_3("frappe")["models"]) == {"lr", "fm"}
    assert len(list((tmp_path / "runs/frappe").glob("fm-*/report.json"))) >= 3
    tables.main(None)
    text = (tmp_path / "results/README.md").read_text()
    assert "Table 3: Frappe" in text and "memorisation baseline" in text


def test_the_first_places_are_those_of_the_first_seeds(rows, monkeypatch):
    scored(monkeypatch, lambda run: {"fm": 0.9, "dnn": 0.8}[run["model"]] - (run["seed"] > 5) / 2)
    for _ in range(2):  # with its further seeds FM would be behind
        found = rows(models=["fm", "dnn"], leaders=1, more_seeds=[6, 7])
    assert found["fm"]["row"]["seeds"] == [1, 2, 3, 6, 7]
    assert found["dnn"]["row"]["seeds"] == [1, 2, 3]


def test_a_row_of_a_preset_that_has_changed_is_trained_again(rows, fake_runs, monkeypatch):
    models = ["paper", "released"]
    rows(models=models)
    fake_runs.asked.clear()
    unchanged = table_3.hyperparameters

    def hyperparameters(dataset, preset, model):
        return {"order": 7} if preset == "paper" else unchanged(dataset, preset, model)

    monkeypatch.setattr(table_3, "hyperparameters", hyperparameters)
    rows(models=models)
    assert {run["preset"] for run in fake_runs.asked} == {"paper"}


def test_a_row_of_other_data_is_searched_again(rows, fake_runs, fake_data, monkeypatch):
    rows(models=["fm"])
    fake_runs.asked.clear()
    monkeypatch.setattr(fake_data.__class__, "statistics", {"records": 7})
    assert rows(models=["fm"])["fm"]["data"]["statistics"] == {"records": 7}
    assert len(trials_asked(fake_runs, "fm")) == 4


def test_auc_less_logloss_chooses(rows, monkeypatch):
    """The larger learning rate ranks a little better, and is far from the clicks' rate."""

    def train_runs(runs, workers, keep_failures=False):
        for run in runs:
            auc, logloss = (0.81, 0.5) if run["learning_rate"] > 1e-3 else (0.8, 0.3)
            yield run, {**report_of(run), "validation": {"auc": auc, "logloss": logloss}}

    monkeypatch.setattr(studies, "train_runs", train_runs)
    space = {"learning_rate": (1e-3, 2e-3), "embedding_l2": (0.0,)}
    monkeypatch.setattr(table_3, "search_space", lambda *_: space)
    assert rows(models=["lr"], trials=2)["lr"]["setting"]["learning_rate"] == 1e-3
