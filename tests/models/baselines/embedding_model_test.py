import pytest

from interhat_tf.models import AFM, DNN, FFM, FM, AutoInt


@pytest.mark.parametrize("model_class", [FM, FFM, AFM])
def test_a_first_order_part_has_the_bias_and_the_penalty(model_class, schema):
    model = model_class(schema, embedding_l2=0.3)
    assert model.linear.use_bias
    assert model.linear.weights_regularizer.l2 == pytest.approx(0.3)
    assert [layer.name for layer in model.layers][:2] == ["linear", "embedding"]


@pytest.mark.parametrize(("model_class", "width"), [(FM, 3), (FFM, 12), (AutoInt, 3), (DNN, 3)])
def test_embeddings_are_as_the_arguments_say(model_class, width, schema):
    arguments = {"embedding_dim": 3, "embeddings_initializer": "ones", "embedding_l2": 0.3}
    model = model_class(schema, **arguments)
    assert model.embedding.embedding_dim == width  # FFM has a vector for each of 4 fields
    assert (model.embedding.table.numpy() == 1).all()
    assert model.embedding.embeddings_regularizer.l2 == pytest.approx(0.3)
    config = model.get_config()
    assert config["embedding_dim"] == 3 and config["embedding_l2"] == 0.3
