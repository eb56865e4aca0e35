"""Tests of the search of hyperparameters, by trials that only compute a number."""

import pytest

from interhat_tf.errors import SettingError
from interhat_tf.tuning.search import Search, TrialFailed, edges

optuna = pytest.importorskip("optuna")

SPACE = {
    "learning_rate": (1e-3, 1e-2, 1e-1),
    "order": (1, 2),
    "mlp_units": ([200], [400, 400]),
    "patience": (3,),
}
ABOUT = {"dataset": "clicks"}


def best_at_one_hundredth(number, setting):
    return -abs(setting["learning_rate"] - 0.01) + setting["order"]


def settings_of(search):
    return [search.setting(trial) for trial in search.study.trials]


def test_settings_are_of_the_space_and_the_best_is_kept(tmp_path):
    search = Search(tmp_path, SPACE, ABOUT)
    assert list(search.run(12, best_at_one_hundredth)) == list(range(12))
    for setting in settings_of(search):
        assert 1e-3 <= setting["learning_rate"] <= 1e-1
        assert setting["order"] in (1, 2) and setting["mlp_units"] in ([200], [400, 400])
        assert setting["patience"] == 3
    number, best = search.best()
    scores = [best_at_one_hundredth(i, setting) for i, setting in enumerate(settings_of(search))]
    assert scores[number] == max(scores) and best == settings_of(search)[number]
    assert len({setting["learning_rate"] for setting in settings_of(search)}) == 12


def test_a_search_that_was_killed_goes_on_with_the_trial_that_was_begun(tmp_path):
    class Killed(BaseException):
        pass

    def score(number, setting):
        if number == 2:
            raise Killed
        return 0.0

    with pytest.raises(Killed):
        list(Search(tmp_path, SPACE, ABOUT).run(5, score))
    begun = settings_of(Search(tmp_path, SPACE, ABOUT))
    assert len(begun) == 3
    again = Search(tmp_path, SPACE, ABOUT)
    asked = []
    assert list(again.run(5, lambda number, setting: asked.append(setting) or 0.0)) == [2, 3, 4]
    assert asked[0] == begun[2]
    assert all(setting not in begun for setting in asked[1:])
    more = Search(tmp_path, SPACE, ABOUT)
    assert list(more.run(5, best_at_one_hundredth)) == []
    assert list(more.run(6, best_at_one_hundredth)) == [5]


def test_a_trial_that_fails_ends_itself_alone(tmp_path):
    def score(number, setting):
        if number == 1:
            raise TrialFailed("the loss is not finite")
        return -float(number)

    search = Search(tmp_path, SPACE, ABOUT)
    assert list(search.run(4, score)) == [0, 1, 2, 3]
    assert search.scores() == {0: 0.0, 2: -2.0, 3: -3.0} and search.best()[0] == 0


def test_three_failures_and_nothing_else_end_the_search(tmp_path):
    def fail(number, setting):
        raise TrialFailed(f"trial {number}: no memory")

    search = Search(tmp_path, SPACE, ABOUT)
    with pytest.raises(TrialFailed, match="trial 2: no memory"):
        list(search.run(9, fail))


@pytest.mark.parametrize(
    ("space", "about", "message"),
    [
        (SPACE, {"dataset": "others"}, "dataset was 'clicks', is 'others'"),
        ({**SPACE, "order": (1, 2, 3)}, ABOUT, r"space.order was \[1, 2\], is \[1, 2, 3\]"),
    ],
)
def test_trials_of_another_search_are_refused(tmp_path, space, about, message):
    Search(tmp_path, SPACE, ABOUT)
    with pytest.raises(SettingError, match=f"holds trials of another search: {message}"):
        Search(tmp_path, space, about)


@pytest.mark.parametrize(
    ("setting", "ends"),
    [
        (
            {"rate": 0.0095, "order": 1, "dropout": 0.0, "units": [1]},
            ["rate 0.0095 is at the upper"],
        ),
        (
            {"rate": 0.00101, "order": 2, "dropout": 0.29, "units": [2]},
            ["rate", "order 2", "dropout"],
        ),
        ({"rate": 0.003, "order": 1, "dropout": 0.1, "units": [2]}, []),
    ],
)
def test_what_lies_at_an_end_is_said_but_not_where_nothing_lies_beyond(setting, ends):
    space = {
        "rate": (1e-3, 5e-3, 1e-2),
        "order": (1, 2),
        "dropout": (0.0, 0.1, 0.3),
        "units": ([1], [2]),
        "learning_rate_factor": (0.1, 1.0),
    }
    found = edges(space, {**setting, "learning_rate_factor": 1.0})
    assert len(found) == len(ends)
    assert all(text.startswith(start) for text, start in zip(found, ends, strict=True))
