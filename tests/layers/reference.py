"""The baselines' layers as loops over their papers' equations, to hold the layers against.

`weights` is a dictionary from a weight's path inside its layer to its values.
Slow on purpose: a sum in a paper is a loop here, not an identity of it.
"""

import itertools

import numpy as np

from tests.numpy_reference import dense, field_embedding, inside, linear, relu, softmax


def pairs(fields):
    """Returns every pair (i, j) with i < j, in the order of the papers' sums."""
    return list(itertools.combinations(range(fields), 2))


def first_order(inputs, weights, vocabulary_sizes):
    """w_0 + sum_i w_i x_i."""
    values = field_embedding(inputs, inside(weights, "weights"), vocabulary_sizes)
    return sum(values[:, i] for i in range(values.shape[1])) + weights.get("bias", 0)


def factorization_machine(x):
    """sum_{i<j} <x_i, x_j>, pair by pair."""
    total = np.zeros((len(x), 1))
    for row, fields in enumerate(x):
        for i, j in pairs(len(fields)):
            total[row] += np.dot(fields[i], fields[j])
    return total


def mlp(x, weights, layers):
    """ReLU(W a + b), normalised with the moving statistics before the ReLU if there are any."""
    for layer in range(1, layers + 1):
        x = dense(x, weights, f"dense_{layer}")
        if norm := inside(weights, f"normalization_{layer}"):
            x = (x - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + 1e-5)
            x = norm["gamma"] * x + norm["beta"]
        x = relu(x)
    return x


def cross_network(x, weights, layers):
    """x_0 x_l^T w_l + b_l + x_l, with the outer product x_0 x_l^T written out."""
    rows = []
    for x_0 in x:
        x_l = x_0
        for layer in range(1, layers + 1):
            w, b = weights[f"kernel_{layer}"][:, 0], weights[f"bias_{layer}"]
            x_l = np.outer(x_0, x_l) @ w + b + x_l
        rows.append(x_l)
    return np.stack(rows)


def cross_network_v2(x, weights, layers):
    """x_0 * (W_l x_l + b_l) + x_l."""
    w_and_b = {}
    for layer in range(1, layers + 1):
        part = inside(weights, f"cross_{layer}")
        name = next(iter(part)).split("/")[0]  # keras_rs lets Keras number its dense layers
        w_and_b[layer] = part[f"{name}/kernel"].T, part[f"{name}/bias"]
    rows = []
    for x_0 in x:
        x_l = x_0
        for layer in range(1, layers + 1):
            w, b = w_and_b[layer]
            x_l = np.array([x_0[n] * (w[n] @ x_l + b[n]) + x_l[n] for n in range(len(x_0))])
        rows.append(x_l)
    return np.stack(rows)


def inner_product(x):
    """<x_i, x_j>, pair by pair."""
    return np.stack([[np.dot(row[i], row[j]) for i, j in pairs(len(row))] for row in x])


def outer_product(x):
    """sum_i sum_j x_i x_j^T, before the superposition: one outer product for each i and j."""
    return np.stack([sum(np.outer(a, b) for a in row for b in row).reshape(-1) for row in x])


def elementwise_product(x):
    """x_i * x_j, pair by pair."""
    return np.stack([[row[i] * row[j] for i, j in pairs(len(row))] for row in x])


def compressed_interaction_network(x, weights, feature_maps, activation=linear):
    """Equations 6 and 7 of xDeepFM, one feature map after the other."""
    batch, fields, dim = x.shape
    current, pooled = x, []
    for layer, maps in enumerate(feature_maps, start=1):
        kernel = weights[f"kernel_{layer}"].reshape(current.shape[1], fields, maps)
        following = np.zeros((batch, maps, dim))
        for h, i, j in np.ndindex(maps, current.shape[1], fields):
            following[:, h] += kernel[i, j, h] * current[:, i] * x[:, j]
        current = activation(following)
        pooled.append(current.sum(axis=2))
    return np.concatenate(pooled, axis=1)


def interacting_layer(x, weights, num_heads):
    """Equations 5 to 8 of AutoInt, one head and one field after the other."""
    key_dim = weights["query/kernel"].shape[1] // num_heads
    rows = []
    for fields in x:
        heads = []
        for h in range(num_heads):
            columns = slice(h * key_dim, (h + 1) * key_dim)
            query, key, value = (
                fields @ weights[f"{name}/kernel"][:, columns] for name in ("query", "key", "value")
            )
            heads.append(np.stack([softmax(key @ query_m) @ value for query_m in query]))
        rows.append(relu(np.concatenate(heads, axis=1) + fields @ weights["residual/kernel"]))
    return np.stack(rows)


def field_aware_factorization_machine(x):
    """sum_{i<j} <x_{i,j}, x_{j,i}>, pair by pair."""
    fields = x.shape[1]
    total = np.zeros((len(x), 1))
    for row, vectors in enumerate(x.reshape(len(x), fields, fields, -1)):
        for i, j in pairs(fields):
            total[row] += np.dot(vectors[i, j], vectors[j, i])
    return total


def factorized_interaction_block(x, weights, layers):
    """ReLU([h_1; h_1 * h_2]), h_1 and h_2 being the halves of W a + b."""
    for layer in range(1, layers + 1):
        first, second = np.split(dense(x, weights, f"dense_{layer}"), 2, axis=1)
        x = relu(np.concatenate([first, first * second], axis=1))
    return x


def field_gate(x, weights):
    """Every field, then every field times sum_j W_ij x_j + b_i."""
    rows = []
    for fields in x:
        gated = []
        for i, field in enumerate(fields):
            gate = sum(weights["kernel"][i, j] * fields[j] for j in range(len(fields)))
            gated.append((gate + weights["bias"][i, 0]) * field)
        rows.append(np.concatenate([fields, np.stack(gated)]))
    return np.stack(rows)


def feature_gate(x, context, weights):
    """2 sigmoid(W_2 ReLU(W_1 c + b_1) + b_2) * e."""
    opened = dense(relu(dense(context, weights, "hidden")), weights, "gate")
    return 2 / (1 + np.exp(-opened)) * x


def bilinear_fusion(x, y, weights):
    """sum_h x_h^T W_h y_h, head by head."""
    kernel = weights["kernel"]
    heads = zip(kernel, *(np.split(part, len(kernel), axis=1) for part in (x, y)), strict=True)
    return sum(np.sum((x_h @ w_h) * y_h, axis=1, keepdims=True) for w_h, x_h, y_h in heads)


def quadratic_layer(x, weights, maps):
    """x * sum_r ReLU(W_r x + b_r) + x, map by map."""
    factors = np.split(relu(dense(x, inside(weights, "maps"), "dense_1")), maps, axis=1)
    return sum(x * factor for factor in factors) + x


def exponential_cross_network(x, weights, layers, normalise=linear):
    """x_l * ([c; gamma * normalise(c) + beta] + b) + x_l with c = W_l x_l."""
    rows = []
    for x_l in x:
        for i in range(1, layers + 1):
            c = x_l @ weights[f"kernel_{i}"]
            other = weights[f"gamma_{i}"] * normalise(c) + weights[f"beta_{i}"]
            factors = np.concatenate([c, other])
            x_l = x_l * (factors + weights[f"bias_{i}"]) + x_l
        rows.append(x_l)
    return np.stack(rows)


def dice(s, weights):
    """p(s) s + (1 - p(s)) alpha s, with the moving statistics."""
    mean, variance = (weights[f"normalization/moving_{name}"] for name in ("mean", "variance"))
    p = sigmoid((s - mean) / np.sqrt(variance + 1e-8))
    return p * s + (1 - p) * weights["alpha"] * s


def activation_unit(values, target, weights, activations, softmax_weights=False):
    """DIN's v and a of one record, of the values (n, d) that it has."""
    scores = []
    for e in values:
        hidden = np.concatenate([e, target, e - target, e * target])
        for i, activation in enumerate(activations, start=1):
            hidden = activation(dense(hidden, weights, f"hidden_{i}"))
        scores.append(dense(hidden, weights, "score")[0])
    if not scores:
        return np.zeros_like(target), np.zeros(0)
    of_values = softmax(np.array(scores)) if softmax_weights else np.array(scores)
    return sum(a * e for a, e in zip(of_values, values, strict=True)), of_values


def augru(values, attention, weights):
    """DIEN's states h_1, ..., h_n of one record, (n, units)."""
    w_u, w_r, w_h = np.split(weights["kernel"], 3, axis=1)
    u_u, u_r, u_h = np.split(weights["recurrent_kernel"], 3, axis=1)
    b_u, b_r, b_h = np.split(weights["bias"], 3)
    h, states = np.zeros(len(u_u)), []
    for i, a in zip(values, attention, strict=True):
        u = sigmoid(i @ w_u + h @ u_u + b_u)
        r = sigmoid(i @ w_r + h @ u_r + b_r)
        candidate = np.tanh(i @ w_h + r * (h @ u_h) + b_h)
        h = (1 - a * u) * h + a * u * candidate
        states.append(h)
    return np.stack(states)


def sigmoid(x):
    """1 / (1 + e^-x)."""
    return 1 / (1 + np.exp(-x))


def interest_evolution(values, target, weights):
    """DIEN's last state and attention of one record, of the values (n, d) that it has."""
    if not len(values):
        return np.zeros_like(target), np.zeros(0)
    interests = augru(values, np.ones(len(values)), inside(weights, "extractor"))
    attention = softmax(np.array([h @ (target @ weights["relevance/kernel"]) for h in interests]))
    return augru(interests, attention, inside(weights, "evolution"))[-1], attention
