"""Tests of the declared spaces."""

import inspect
from typing import ClassVar

import pytest

from interhat_tf.commands.train import define_flags, settings
from interhat_tf.models import MODELS, ClickModel
from interhat_tf.training.settings import TrainingSettings
from interhat_tf.tuning.spaces import OF_MODELS, search_space

TRAINING = set(inspect.signature(TrainingSettings).parameters)


@pytest.mark.parametrize("model", MODELS)
def test_a_space_has_arguments_of_the_model_and_the_training(model):
    space = search_space(model)
    assert set(space) - TRAINING <= set(inspect.signature(MODELS[model]).parameters)
    assert len(space["learning_rate"]) == 3 and len(space["patience"]) == 1
    for end in (0, -1):
        values = define_flags()
        one = [f"--{n}={v[end]}" for n, v in space.items() if not isinstance(v[end], list)]
        values(["train", "--dataset=x", "--output_dir=x", f"--model={model}", *one])
        arguments, training = settings(values)
        assert (arguments | training)["learning_rate"] == space["learning_rate"][end]


def test_weights_are_averaged_as_the_size_of_the_log_asks_for():
    assert search_space("dnn")["ema_momentum"] == (0.995,)
    assert search_space("dnn", ema_momentum=0.9995)["ema_momentum"] == (0.9995,)


def test_what_a_preset_has_is_tried_and_what_is_around_it():
    preset = {"embedding_l2": 0.08, "embedding_dim": 64, "patience": 10, "order": 2}
    space = search_space("interhat", preset)
    assert space["embedding_l2"] == (0.005, 0.02, 0.08, 0.32)
    assert space["embedding_dim"] == (32, 64, 128)
    assert space["patience"] == (10,)
    assert space["order"] == search_space("interhat")["order"]


def test_every_space_is_of_a_model():
    assert set(OF_MODELS) <= set(MODELS)


def test_a_model_of_another_package_says_what_is_tried(monkeypatch):
    class Mine(ClickModel):
        search_space: ClassVar = {"depth": (1, 2)}

        def __init__(self, schema, depth: int = 1, **kwargs):
            super().__init__(schema, **kwargs)

    monkeypatch.setitem(MODELS, "mine", Mine)
    space = search_space("mine")
    assert space["depth"] == (1, 2) and "embedding_l2" not in space
