"""Makes `released.npz`, what the authors' released model computes, under our weights' names.

The numbers come from running the authors' TensorFlow 1 code (TensorFlow
1.15.5, CPU) once on random input: batch 32, 7 fields that share one table of 50
rows, d = 8, 2 heads, attention size 5, 3 orders. Kept are the input `X`, `y`,
the first weights, the probabilities `p` and attentions `a1`, `a2`, `a3`, `ak`
that they give, `logloss`, the L2 term `reg`, and the probabilities `p1` and
`p10` after 1 and 10 steps of full-batch Adam.

    python tests/golden/convert_released.py RECORDED.npz tests/golden/released.npz
"""

import sys

import numpy as np

ATTENTION = "attention_head/multihead_attention"
FEED_FORWARD = "attention_head/feed_forward"

OUR_NAMES = {
    "embedding_process/lookup_table": "embedding/table",
    f"{ATTENTION}/dense": "attention/query",
    f"{ATTENTION}/dense_1": "attention/key",
    f"{ATTENTION}/dense_2": "attention/value",
    f"{ATTENTION}/dense_3": "attention/output",
    f"Multilayer_attn/{ATTENTION}/ln/Variable": "attention/normalization/beta",
    f"Multilayer_attn/{ATTENTION}/ln/Variable_1": "attention/normalization/gamma",
    f"{FEED_FORWARD}/conv1d": "feed_forward/hidden",
    f"{FEED_FORWARD}/conv1d_1": "feed_forward/output",
    f"Multilayer_attn/{FEED_FORWARD}/ln/Variable": "feed_forward/normalization/beta",
    f"Multilayer_attn/{FEED_FORWARD}/ln/Variable_1": "feed_forward/normalization/gamma",
    "dense": "aggregation_1/projection",
    "dense_1": "aggregation_2/projection",
    "dense_2": "aggregation_3/projection",
    "context_order_1": "aggregation_1/context",
    "context_order_2": "aggregation_2/context",
    "context_order_3": "aggregation_3/context",
    "Mapped_all_feature": "order_aggregation/projection",
    "dense_3/kernel": "order_aggregation/context",
    "HiddenLogits": "mlp_1",
    "Logits": "mlp_2",
}
RESULTS = ("X", "y", "p", "a1", "a2", "a3", "ak", "logloss", "reg", "p1", "p10")


def our_name(variable):
    """Returns our path of a weight, given TensorFlow 1's name of it."""
    variable = variable.removesuffix(":0")
    if variable in OUR_NAMES:
        return OUR_NAMES[variable]
    layer, _, weight = variable.rpartition("/")
    return f"{OUR_NAMES[layer]}/{weight}"


def our_shape(name, values):
    """Returns a weight in our shape: TensorFlow 1's code has 1D convolutions of width 1."""
    if name.endswith("/context"):
        return values.reshape(-1, 1)
    return values[0] if values.ndim == 3 else values


def main(recorded_path, converted_path):
    """Writes the converted file."""
    with np.load(recorded_path) as recorded:
        converted = {key: recorded[key] for key in RESULTS}
        for key in recorded:
            if key.startswith("w0/"):
                name = our_name(key.removeprefix("w0/"))
                converted[name] = our_shape(name, recorded[key])
    np.savez_compressed(converted_path, **converted)


if __name__ == "__main__":
    main(*sys.argv[1:])
