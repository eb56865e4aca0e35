import inspect
import json

import keras
import numpy as np
import pytest

from interhat_tf.utils.config import ConfigFromSignature


@keras.saving.register_keras_serializable("config_test")
class Example(ConfigFromSignature):
    def __init__(
        self,
        width,
        units=(4, 2),
        *,
        activation=None,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)


@keras.saving.register_keras_serializable("config_test")
class Derived(Example):
    """Adds an argument and hands on the others."""

    def __init__(self, extra=1, **kwargs):
        super().__init__(**kwargs)


def own(layer):
    return {
        name: value
        for name, value in layer.get_config().items()
        if name not in ("name", "dtype", "trainable")
    }


def test_holds_all_arguments_defaults_included():
    assert own(Example(3, activation="relu")) == {
        "width": 3,
        "units": (4, 2),
        "activation": "relu",
        "kernel_initializer": keras.initializers.serialize(keras.initializers.GlorotUniform()),
        "kernel_regularizer": None,
    }


def test_keras_own_arguments_are_as_keras_writes_them():
    layer = Example(3, name="a", dtype="mixed_bfloat16", trainable=False)
    plain = keras.layers.Layer(name="a", dtype="mixed_bfloat16", trainable=False)
    config = layer.get_config()
    assert {name: config[name] for name in ("name", "dtype", "trainable")} == {
        "name": "a",
        "dtype": keras.dtype_policies.serialize(plain.dtype_policy),
        "trainable": False,
    }


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": 3},
        {"width": np.int64(3), "units": np.array([5, 6])},
        {"width": 3, "units": [7, [8]]},
        {"width": 3, "activation": keras.activations.relu},
        {"width": 3, "kernel_initializer": keras.initializers.RandomNormal(stddev=0.1, seed=1)},
        {"width": 3, "kernel_regularizer": keras.regularizers.L2(0.1)},
    ],
    ids=lambda arguments: "+".join(arguments),
)
@pytest.mark.parametrize("cls", [Example, Derived])
def test_round_trips(cls, arguments):
    layer = cls(**arguments)
    config = layer.get_config()
    assert cls.from_config(config).get_config() == config
    through_json = cls.from_config(json.loads(json.dumps(config)))
    assert through_json.get_config() == config
    serialised = keras.saving.serialize_keras_object(layer)
    assert keras.saving.deserialize_keras_object(serialised).get_config() == config


def test_a_derived_class_keeps_what_it_hands_on():
    assert own(Derived(extra=2, width=5, units=[1]))["extra"] == 2
    assert own(Derived(width=5, units=[1]))["units"] == (1,)
    assert own(Derived(width=5)) == {**own(Example(5)), "extra": 1}


def test_a_derived_class_shows_what_it_hands_on():
    parameters = inspect.signature(Derived).parameters
    assert list(parameters) == ["extra", "width", "units", *list(parameters)[3:]]
    assert parameters["units"].default == (4, 2)
    assert parameters["units"].kind is inspect.Parameter.KEYWORD_ONLY
    assert "extra" not in inspect.signature(Example).parameters
    with pytest.raises(AttributeError):
        _ = Derived(width=5).__signature__


def test_later_changes_of_an_argument_do_not_count():
    units = [4]
    layer = Example(3, units)
    units.append(5)
    assert layer.get_config()["units"] == (4,)


def test_arguments_are_no_state_of_the_layer():
    regularizer = keras.regularizers.L2(0.1)
    layer = Example(3, kernel_regularizer=regularizer)
    assert not layer.variables
    assert not layer._layers


def test_wrong_arguments_are_errors_that_name_the_class():
    with pytest.raises(TypeError, match=r"Example.__init__\(\) missing .* 'width'"):
        Example()
    with pytest.raises(ValueError, match=r"passed to Example: .*'colour'"):
        Example(3, colour=1)
