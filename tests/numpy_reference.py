"""InterHAt's equations in plain NumPy and double precision, to hold the layers against.

`weights` is always a dictionary from a weight's path inside its layer, such as
`"query/kernel"`, to its values.
"""

import itertools

import numpy as np


def weights_of(layer):
    """Returns the weights of a built layer or model by their path inside it."""
    weights = {
        weight.path.removeprefix(f"{layer.name}/"): np.asarray(weight, "float64")
        for weight in layer.weights
    }
    assert len(weights) == len(layer.weights), "two weights share a path"
    return weights


def randomise(layer, seed=0):
    """Gives every weight random values, so that biases and layer norms count too."""
    rng = np.random.default_rng(seed)

    def values(shape):
        scale = 0.5 if len(shape) == 1 else (2 / shape[0]) ** 0.5
        return rng.normal(0, scale, shape)

    layer.set_weights([values(weight.shape) for weight in layer.weights])
    for weight in layer.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(np.abs(weight) + 0.1)
    return layer


def inside(weights, name):
    """Returns the weights of the part called `name`."""
    start = f"{name}/"
    return {path[len(start) :]: w for path, w in weights.items() if path.startswith(start)}


def linear(x):
    """Returns x."""
    return x


def relu(x):
    """Returns max(x, 0)."""
    return np.maximum(x, 0)


def softmax(x):
    """Returns the softmax over the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def dense(x, weights, name):
    """Returns x W + b, without b where the projection has none."""
    return x @ weights[f"{name}/kernel"] + weights.get(f"{name}/bias", 0)


def layer_norm(x, weights):
    """Returns x normalised over d, with the code's epsilon inside the root."""
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    gamma, beta = weights["normalization/gamma"], weights["normalization/beta"]
    return gamma * (x - mean) / np.sqrt(variance + 1e-8) + beta


def batch_norm(x, weights):
    """Returns x normalised with the moving statistics."""
    deviation = np.sqrt(weights["moving_variance"] + 1e-5)
    return weights["gamma"] * (x - weights["moving_mean"]) / deviation + weights["beta"]


def field_embedding(inputs, weights, vocabulary_sizes):
    """Section 3.1, one field after the other."""
    fields, offset = [], 0
    for column, size in enumerate(vocabulary_sizes):
        fields.append(weights["table"][offset : offset + size][inputs["categorical"][:, column]])
        offset += size
    for column, vector in enumerate(weights.get("numerical_table", [])):
        numbers = inputs["numerical"][:, column, None]
        fields.append(numbers * vector)
        if "missing_table" in weights:
            missing = np.isnan(numbers)
            fields[-1] = np.where(missing, weights["missing_table"][column], fields[-1])
    return np.stack(fields, axis=1)


def self_attention(x, weights, num_heads, activation=linear, residual=False):
    """Section 3.2, one head after the other; returns the fields and the maps."""
    query, key, value = (
        np.split(activation(dense(x, weights, name)), num_heads, axis=-1)
        for name in ("query", "key", "value")
    )
    maps = [
        softmax(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]))
        for q, k in zip(query, key, strict=True)
    ]
    heads = [attention @ v for attention, v in zip(maps, value, strict=True)]
    output = activation(dense(np.concatenate(heads, -1), weights, "output"))
    if residual:
        output = output + x
    if "normalization/gamma" in weights:
        output = layer_norm(output, weights)
    return output, np.stack(maps, axis=1)


def feed_forward(x, weights):
    """The paper's ReLU(X W + b), or the released block if there is a hidden layer."""
    if "hidden/kernel" not in weights:
        return relu(dense(x, weights, "output"))
    hidden = relu(dense(x, weights, "hidden"))
    return layer_norm(x + dense(hidden, weights, "output"), weights)


def aggregate(x, weights, activation=relu):
    """Equations 1 and 2; returns u and alpha."""
    scored = x
    if norm := inside(weights, "normalization"):
        scored = batch_norm(x.reshape(len(x), -1), norm).reshape(x.shape)
    hidden = activation(dense(scored, weights, "projection"))
    if "gate/kernel" in weights:
        hidden = hidden / (1 + np.exp(-dense(scored, weights, "gate")))
    alpha = softmax(hidden @ weights["context"][:, 0])
    return np.einsum("bm,bmd->bd", alpha, x), alpha


def field_aware_values(x, alpha, weights):
    """sum_j alpha_j V_j x_j, one field after the other."""
    kernels = np.split(weights["kernel"], x.shape[1])
    return sum(alpha[:, j, None] * (x[:, j] @ kernel) for j, kernel in enumerate(kernels))


def pair_values(x, alpha, weights):
    """sum_{i<j} (alpha_i + alpha_j) <x_i, x_j> w_ij, one pair after the other."""
    pairs = itertools.combinations(range(x.shape[1]), 2)
    return sum(
        ((alpha[:, i] + alpha[:, j]) * np.sum(x[:, i] * x[:, j], axis=1))[:, None] * row
        for (i, j), row in zip(pairs, weights["kernel"], strict=True)
    )


def interhat(inputs, weights, vocabulary_sizes, num_heads, order, preset):
    """The whole model; returns what `InterHAt.explain` does, heads included."""
    released = preset == "released"
    x = field_embedding(inputs, inside(weights, "embedding"), vocabulary_sizes)
    x, heads = self_attention(
        x,
        inside(weights, "attention"),
        num_heads,
        activation=relu if released else linear,
        residual=released,
    )
    first = feed_forward(x, inside(weights, "feed_forward"))
    features, aggregations, field_weights = hierarchy(first, weights, order)
    u_f, order_weights = aggregate(
        np.stack(aggregations, axis=1),
        inside(weights, "order_aggregation"),
        activation=linear if released else relu,
    )
    logits = dense(relu(dense(u_f, weights, "mlp_1")), weights, "mlp_2")[:, 0]
    field_weights = np.stack(field_weights, axis=1)
    gradient = mean_gradient(u_f, weights)
    contributions = np.einsum(
        "bk,bkm,bkmd,bd->bkm", order_weights, field_weights, np.stack(features, axis=1), gradient
    )
    return {
        "logits": logits,
        "order_weights": order_weights,
        "field_weights": field_weights,
        "contributions": contributions,
        "bias": dense(relu(dense(0 * u_f, weights, "mlp_1")), weights, "mlp_2")[:, 0],
        "heads": heads,
    }


def hierarchy(first, weights, order):
    """Equations 1 to 3; returns X_1 ... X_k, u_1 ... u_k and alpha_1 ... alpha_k."""
    current, features, aggregations, field_weights = first, [], [], []
    for i in range(1, order + 1):
        features.append(current)
        u, alpha = aggregate(current, inside(weights, f"aggregation_{i}"))
        aggregations.append(u)
        field_weights.append(alpha)
        current = u[:, None] * first + current
    return features, aggregations, field_weights


def field_aware_interhat(first, weights, order):
    """The model with values and batch norms behind X_1; returns logits, alpha_f and alpha_i."""
    features, aggregations, field_weights = hierarchy(first, weights, order)
    outputs = [
        field_aware_values(x, alpha, inside(weights, f"field_values_{i}"))
        for i, (x, alpha) in enumerate(zip(features, field_weights, strict=True), start=1)
    ]
    if inside(weights, "pair_values"):
        outputs[1] = outputs[1] + pair_values(
            first, field_weights[1], inside(weights, "pair_values")
        )
    order_weights = np.ones((len(first), 1))
    if order > 1:
        scoring = inside(weights, "order_aggregation")
        _, order_weights = aggregate(np.stack(aggregations, axis=1), scoring, activation=linear)
    hidden = sum(order_weights[:, i, None] * output for i, output in enumerate(outputs))
    layer = 0
    while norm := inside(weights, f"mlp_normalization_{layer}"):
        layer += 1
        hidden = dense(relu(batch_norm(hidden, norm)), weights, f"mlp_{layer}")
    return hidden[:, 0], order_weights, np.stack(field_weights, axis=1)


def mean_gradient(u, weights):
    """The gradient of the output MLP, averaged over the straight line from zeros to u, (B, d)."""
    slope = u @ weights["mlp_1/kernel"]  # of each unit along the line, (B, units)
    start = weights.get("mlp_1/bias", 0) + 0 * slope
    crossing = -start / np.where(slope == 0, 1, slope)  # where on the line a unit is zero
    active = np.where(slope > 0, np.clip(1 - crossing, 0, 1), np.clip(crossing, 0, 1))
    active = np.where(slope == 0, start > 0, active)  # the share of the line where it is active
    return (active * weights["mlp_2/kernel"][:, 0]) @ weights["mlp_1/kernel"].T
