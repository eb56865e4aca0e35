import pytest

from experiments.common.search import draw, edges, outward, size, with_values_of


def test_draws_are_different_even_and_repeatable():
    space = {"a": (1, 2, 3, 4), "b": ("x", "y"), "c": (0,)}
    settings = draw(space, 8, seed="fm")
    assert settings == draw(space, 8, seed="fm") != draw(space, 8, seed="afm")
    assert len({tuple(setting.values()) for setting in settings}) == 8
    for value in space["a"]:
        assert sum(setting["a"] == value for setting in settings) == 2
    for value in space["b"]:
        assert sum(setting["b"] == value for setting in settings) == 4


def test_more_trials_than_settings():
    with pytest.raises(ValueError, match="fewer than 3 settings"):
        draw({"a": (1, 2), "b": (1,)}, 3, seed=0)


def test_the_size_of_a_space():
    assert size({"a": (1, 2), "b": ("x", "y", "z"), "c": (0,)}) == 6


SPACE = {
    "learning_rate": (1e-3, 2e-3, 4e-3),
    "embedding_l2": (0.0, 1e-6, 1e-5),
    "dropout": (0.0, 0.1, 0.2),
    "order": (1, 2),
    "embedding_dim": (10, 16, 32),
    "mlp_units": ([200], [400]),
    "batch_norm": (True, False),
    "batch_size": (1024,),
}
INSIDE = {
    "learning_rate": 2e-3,
    "embedding_l2": 1e-6,
    "dropout": 0.1,
    "order": 1,
    "embedding_dim": 16,
    "mlp_units": [400],
    "batch_norm": True,
    "batch_size": 1024,
}


def test_inside_are_also_ends_beyond_which_there_is_nothing():
    assert edges(SPACE, INSIDE) == {}
    assert edges(SPACE, {**INSIDE, "embedding_l2": 0.0, "dropout": 0.0}) == {}


@pytest.mark.parametrize(
    ("flag", "value", "beyond"),
    [
        ("learning_rate", 1e-3, 5e-4),
        ("learning_rate", 4e-3, 8e-3),
        ("embedding_l2", 1e-5, 1e-4),
        ("dropout", 0.2, 0.3),
        ("order", 2, 3),
        ("embedding_dim", 10, 6),
        ("embedding_dim", 32, 64),
    ],
)
def test_the_next_value_beyond_an_edge(flag, value, beyond):
    setting = {**INSIDE, flag: value}
    assert edges(SPACE, setting) == {flag: beyond}
    assert outward(SPACE, setting) == [{**INSIDE, flag: beyond}]
    # Once it was tried, the former best lies inside.
    assert edges(with_values_of(SPACE, [{flag: beyond}]), setting) == {}


def test_the_order_in_which_values_are_declared_does_not_matter():
    assert edges({"learning_rate": (2e-3, 1e-3)}, {"learning_rate": 2e-3}) == {
        "learning_rate": 4e-3
    }


def test_a_limit_ends_an_ordered_choice():
    assert edges({"dropout": (0.5, 0.8)}, {"dropout": 0.8}) == {}
    # A learning rate does not rise after an epoch without a gain, nor does it all but vanish.
    for factor in (0.1, 1.0):
        setting = {"learning_rate_factor": factor}
        assert edges({"learning_rate_factor": (0.1, 1.0)}, setting) == {}


def test_each_edge_is_moved_in_a_setting_of_its_own():
    setting = {**INSIDE, "learning_rate": 1e-3, "order": 2}
    assert outward(SPACE, setting) == [
        {**setting, "learning_rate": 5e-4},
        {**setting, "order": 3},
    ]


def test_a_space_takes_new_values_once():
    space = {"a": (1, 2), "b": ([1],)}
    wider = with_values_of(space, [{"a": 3, "b": [1]}, {"a": 3, "b": [2]}])
    assert wider == {"a": [1, 2, 3], "b": [[1], [2]]}
    assert space == {"a": (1, 2), "b": ([1],)}
