"""InterHAt of Keras' own layers, as one would first write it: what speed is measured by."""

import keras
import numpy as np
from keras import layers, ops

from interhat_tf.models.click_model import l2
from interhat_tf.schema import CATEGORICAL


def plain_interhat(
    schema,
    *,
    embedding_dim,
    num_heads,
    attention_size,
    order=3,
    key_dim=None,
    residual=True,
    attention_activation="relu",
    attention_bias=True,
    aggregation_bias=True,
    order_attention_size=16,
    order_activation=None,
    mlp_bias=False,
    embedding_l2=0.0,
    aggregation_l2=0.0,
    dense_l2=0.0,
):
    """Returns the model of the same arguments as `InterHAt`, for categorical fields."""
    offsets = np.cumsum([0, *schema.vocabulary_sizes[:-1]]).astype("int32")
    fields, key_dim = len(offsets), key_dim or attention_size

    def project(units, activation, use_bias, strength=dense_l2):
        penalty = {"kernel_regularizer": l2(strength), "bias_regularizer": l2(strength)}
        return layers.Dense(units, activation=activation, use_bias=use_bias, **penalty)

    def aggregate(values, size, activation, strength):
        hidden = project(size, activation, aggregation_bias, strength)(values)
        scores = project(1, None, False)(hidden)
        return ops.sum(layers.Softmax(axis=1)(scores) * values, axis=1)  # (B, d)

    def attend(values):
        query, key, value = (
            layers.Reshape((fields, num_heads, key_dim))(
                project(num_heads * key_dim, attention_activation, attention_bias)(values)
            )
            for _ in range(3)
        )  # (B, m, h, d_K)
        heads = ops.dot_product_attention(query, key, value)  # (B, m, h, d_K)
        heads = layers.Reshape((fields, num_heads * key_dim))(heads)  # (B, m, h * d_K)
        output = project(embedding_dim, attention_activation, attention_bias)(heads)
        if not residual:
            return project(embedding_dim, "relu", True)(output)  # (B, m, d)
        output = layers.LayerNormalization(epsilon=1e-8)(output + values)
        hidden = project(embedding_dim, None, True)(
            project(4 * embedding_dim, "relu", True)(output)
        )
        return layers.LayerNormalization(epsilon=1e-8)(hidden + output)  # (B, m, d)

    ids = keras.Input((fields,), dtype="int32", name=CATEGORICAL)
    table = layers.Embedding(
        sum(schema.vocabulary_sizes), embedding_dim, embeddings_regularizer=l2(embedding_l2)
    )
    first = current = attend(table(ids + offsets))  # (B, m, d)
    aggregations = []
    for i in range(order):
        if i:
            current = ops.expand_dims(aggregations[-1], 1) * first + current  # (B, m, d)
        aggregations.append(aggregate(current, attention_size, "relu", aggregation_l2))
    pooled = aggregate(
        ops.stack(aggregations, axis=1),  # (B, k, d)
        order_attention_size or attention_size,
        order_activation,
        dense_l2,
    )
    hidden = project(max(embedding_dim // 2, 1), "relu", mlp_bias)(pooled)
    return keras.Model({CATEGORICAL: ids}, project(1, None, mlp_bias)(hidden))
