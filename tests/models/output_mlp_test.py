import keras
import pytest

from interhat_tf.models.output_mlp import make_hidden_layers

DROPOUT = keras.layers.Dropout(0.5)
NORM, RELU = "mlp_normalization_", "mlp_activation_"


@pytest.mark.parametrize(
    ("units", "arguments", "expected"),
    [
        ((), {}, ["drop"]),
        ((5,), {}, ["drop", "mlp_1", f"{RELU}1", "drop"]),
        ((), {"activate_input": True}, [f"{RELU}0", "drop"]),
        (
            (5,),
            {"activate_input": True, "batch_norm": True},
            [f"{NORM}0", f"{RELU}0", "drop", "mlp_1", f"{NORM}1", f"{RELU}1", "drop"],
        ),
    ],
)
def test_dropout_stands_before_each_dense_layer_and_norm_before_each_activation(
    units, arguments, expected
):
    layers = make_hidden_layers(units, DROPOUT, **arguments)
    assert ["drop" if layer is DROPOUT else layer.name for layer in layers] == expected


def test_biases_and_penalties_are_those_of_the_hidden_layers():
    regularizer = keras.regularizers.L2(0.1)
    _, dense, *_ = make_hidden_layers((5,), DROPOUT, use_bias=True, regularizer=regularizer)
    assert dense.use_bias
    assert dense.kernel_regularizer is dense.bias_regularizer is regularizer
    _, dense, *_ = make_hidden_layers((5,), DROPOUT)
    assert not dense.use_bias
