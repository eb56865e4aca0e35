import pytest
from absl.testing import flagsaver

from experiments.faithfulness import crosses
from interhat_tf import Field, Schema
from interhat_tf.explanation.suggested_crosses import SuggestedCross
from interhat_tf.utils.files import read_json, write_json
from tests.experiments.conftest import report_of

NAMES = ["user", "item", "daytime", "weekday", "cost"]
PAIRS = [("user", "item"), ("item", "cost"), ("user", "cost"), ("user", "daytime")]
PAIRS += [("item", "weekday")]
SUGGESTED = [SuggestedCross(pair, 1.0 - i / 10, 90, 10, 0.5) for i, pair in enumerate(PAIRS)]


@pytest.fixture
def study(study_flags, fake_runs, fake_data, monkeypatch):
    fake_data.schema = Schema([Field(name, "categorical", 9) for name in NAMES])
    monkeypatch.setattr(crosses, "open_data", lambda: fake_data)
    monkeypatch.setattr(crosses, "suggestions", lambda data: SUGGESTED)
    return fake_runs


def test_only_final_runs_read_the_test_split(study):
    crosses.main(None)
    assert all((run["seed"] in (0, 11)) == (run.get("test") is False) for run in study.asked)


def test_crosses_of_each_variant(fake_data, study):
    def of(variant, seed=1):
        return crosses.crosses_of(variant, fake_data, SUGGESTED, seed)

    assert of("none") == []
    assert of("suggested 3") == PAIRS[:3]
    assert len(of("random 5")) == len(set(of("random 5"))) == 5
    assert of("random 3") == of("random 5")[:3]
    assert not set(of("random 5")) & set(PAIRS)
    assert of("random 3", seed=2) != of("random 3", seed=1)
    run = crosses.run_of("lr", 0.0, 1, of("suggested 3"))
    assert run["crosses"] == ["user,item", "item,cost", "user,cost"]
    assert "crosses" not in crosses.run_of("lr", 0.0, 1, [])


def test_penalty_is_the_best_on_validation(study, fake_data):
    row = crosses.study("lr", "suggested 1", fake_data, SUGGESTED)

    def score(penalty):
        runs = [crosses.run_of("lr", penalty, seed, PAIRS[:1]) for seed in (0, 11)]
        found = [report_of(run)["validation"] for run in runs]
        return sum(figures["auc"] - figures["logloss"] for figures in found)

    assert row["penalty"] == max(crosses.PENALTIES["lr"], key=score)
    assert row["seeds"] == [1, 2, 3]
    assert {run["embedding_l2"] for run in study.asked[-3:]} == {row["penalty"]}


def test_the_seed_that_chooses_is_no_final_one(study):
    with flagsaver.flagsaver(seeds=[0, 1]), pytest.raises(ValueError, match="seed 0 chose"):
        crosses.main(None)


def test_variants_that_are_known_stay(study, study_flags):
    file = study_flags / "results/crosses/frappe/lr.json"
    for variant in ("suggested 1", "none"):
        with flagsaver.flagsaver(variant=[variant], models=["lr"]):
            crosses.main(None)
    assert list(read_json(file)["rows"]) == ["none", "suggested 1"]
    # What others may choose from does not matter; of other crosses or choices nothing is kept.
    with flagsaver.flagsaver(variant=["none"], models=["lr"]):
        for changed, kept in (("interhat", 2), ("lr", 1)):
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(crosses.PENALTIES, changed, (0.5,))
                crosses.main(None)
            assert len(read_json(file)["rows"]) == kept
    with (
        flagsaver.flagsaver(variant=["none"], models=["lr"]),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(crosses, "suggestions", lambda data: SUGGESTED[1:])
        crosses.main(None)
    assert list(read_json(file)["rows"]) == ["none"]


def test_an_unknown_variant_is_an_error(study):
    with (
        flagsaver.flagsaver(variant=["suggested 2"]),
        pytest.raises(ValueError, match="--variant: suggested 2: not of none, suggested 1"),
    ):
        crosses.main(None)


def test_variants_of_other_settings_seeds_or_epochs_do_not_stay(study, study_flags, monkeypatch):
    file = study_flags / "results/crosses/frappe/lr.json"

    def after(variant, **given):
        with flagsaver.flagsaver(variant=[variant], models=["lr"], **given):
            crosses.main(None)
        return list(read_json(file)["rows"])

    after("none")
    earlier = {k: v for k, v in read_json(file).items() if k != "settings"}
    write_json(file, earlier)  # before a file said its settings
    assert after("random 1", note="another note") == ["none", "random 1"]
    assert after("none", seeds=[1, 2]) == ["none"]
    assert after("random 1") == ["random 1"]
    assert after("none", epochs=1) == ["none"]
    assert after("random 1") == ["random 1"]
    monkeypatch.setitem(crosses.SETTINGS, "interhat", {"model": "interhat"})
    assert after("none") == ["none", "random 1"]
    monkeypatch.setitem(crosses.SETTINGS, "lr", {"model": "lr"})
    assert after("none") == ["none"]


def test_a_variant_of_clicks_has_counts_of_clicks_and_no_crosses(study, fake_data):
    crosses.study("lr", "clicks 3", fake_data, SUGGESTED)
    assert all("crosses" not in run for run in study.asked)
    assert {tuple(run["click_counts"]) for run in study.asked} == {
        ("user,item", "item,cost", "user,cost")
    }


def test_the_model_that_suggests_does_not_read_the_test_split(study_flags, monkeypatch):
    asked = []
    monkeypatch.setattr(crosses, "train_all", lambda runs: asked.extend(*runs.values()))
    monkeypatch.setattr(crosses.keras.saving, "load_model", lambda path: path)
    monkeypatch.setattr(crosses, "suggest_crosses", lambda model, data, top: [model, top])
    (run,), found = asked, crosses.suggestions(None)
    assert found == [f"{run['output_dir']}/model.keras", 5]
    assert run["test"] is False and run["seed"] == 0 and "crosses" not in run
