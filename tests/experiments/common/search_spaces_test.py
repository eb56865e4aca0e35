import dataclasses
import inspect

import pytest

from experiments.common.published import TABLE_3, TITLES
from experiments.common.search_spaces import draw, search_space
from experiments.paper.table_3 import MODELS as COMPARED
from interhat_tf.commands.train import define_flags
from interhat_tf.models import MODELS
from interhat_tf.training.settings import TrainingSettings

FLAGS = set(define_flags())
TRAINING = {field.name for field in dataclasses.fields(TrainingSettings)}


def test_every_model_has_a_title():
    assert set(TITLES) == set(MODELS)


def test_the_papers_models_are_compared():
    for models in TABLE_3.values():
        assert set(models) <= set(COMPARED)


@pytest.mark.parametrize("dataset", ["frappe", "criteo", "avazu"])
@pytest.mark.parametrize("model", COMPARED)
def test_a_space_has_flags_of_its_model_and_room_for_eight_trials(dataset, model):
    space = search_space(dataset, model)
    arguments = set(inspect.signature(MODELS[model]).parameters)
    assert set(space) - {"preset"} - TRAINING <= FLAGS & arguments
    assert len(draw(space, 8, seed=model)) == 8


def test_what_is_not_declared():
    with pytest.raises(ValueError, match="no search space is declared for fm on mnist"):
        search_space("mnist", "fm")


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
