import keras
import pytest

from interhat_tf.models import (
    DCN,
    DNN,
    PNN,
    DCNv2,
    DeepFM,
    FinalMLP,
    FinalNet,
    WideAndDeep,
    XDeepFM,
)

DEEP = [DNN, WideAndDeep, DeepFM, DCN, DCNv2, PNN, XDeepFM, FinalNet, FinalMLP]


@pytest.mark.parametrize("model_class", DEEP)
def test_the_mlp_is_as_its_arguments_say(model_class, schema):
    model = model_class(schema, mlp_units=(6, 10), dropout=0.1, batch_norm=True, dense_l2=0.2)
    assert model.mlp.units == (6, 10) and model.mlp.dropout == 0.1 and model.mlp.batch_norm
    for layer in (*model.mlp.dense, model.logit):
        assert layer.kernel_regularizer.l2 == pytest.approx(0.2)
        assert isinstance(layer.bias_regularizer, keras.regularizers.L2)
    # What is on top comes last: a checkpoint has the weights in this order.
    assert [layer.name for layer in model.layers][-2:] == ["mlp", "logit"]


def test_the_first_order_part_leaves_the_bias_to_the_logit(schema):
    assert not WideAndDeep(schema).linear.use_bias
    assert not hasattr(DNN(schema), "linear")
