"""What others report of the models: the paper in Table 3, the public benchmark BARS on Frappe."""

TITLES = {
    "lr": "LR",
    "fm": "FM",
    "ffm": "FFM",
    "afm": "AFM",
    "dnn": "DNN",
    "wide_deep": "Wide&Deep",
    "dcn": "DCN",
    "dcn_v2": "DCNv2",
    "ipnn": "PNN (inner)",
    "opnn": "PNN (outer)",
    "pnn": "PNN (both)",
    "deepfm": "DeepFM",
    "xdeepfm": "xDeepFM",
    "autoint": "AutoInt",
    "autoint_plus": "AutoInt+",
    "finalmlp": "FinalMLP",
    "finalnet": "FinalNet",
    "ecn": "ECN",
    "qnn_alpha": "QNN-alpha",
    "interhat_s": "InterHAt-S",
    "interhat": "InterHAt",
}
"""Names of the registry's models as papers write them."""

# Table 1 of the paper: fields (categorical + numerical), records, distinct features.
TABLE_1 = {
    "criteo": {"fields": "22 + 14", "records": "13.8M", "features": "605.7K"},
    "avazu": {"fields": "21 + 0", "records": "12.1M", "features": "23.8K"},
    "frappe": {"fields": "7 + 0", "records": "288K", "features": "5,382"},
}

# Table 3 of the paper: (AUC, logloss). Its PNN is not said to be the inner or
# the outer one; the public benchmark's is the inner one, so that one stands here.
TABLE_3 = {
    "criteo": {
        "fm": (0.7525, 0.4814),
        "wide_deep": (0.7845, 0.4577),
        "dcn": (0.7826, 0.4590),
        "ipnn": (0.7887, 0.4547),
        "deepfm": (0.7866, 0.4560),
        "xdeepfm": (0.7874, 0.4563),
        "interhat_s": (0.7820, 0.4608),
        "interhat": (0.7845, 0.4577),
    },
    "avazu": {
        "fm": (0.7508, 0.3951),
        "wide_deep": (0.7564, 0.3920),
        "dcn": (0.7564, 0.3921),
        "ipnn": (0.7569, 0.3916),
        "deepfm": (0.7561, 0.3920),
        "xdeepfm": (0.7569, 0.3917),
        "interhat_s": (0.7577, 0.3919),
        "interhat": (0.7582, 0.3910),
    },
    "frappe": {
        "fm": (0.8625, 0.4480),
        "wide_deep": (0.9500, 0.2571),
        "dcn": (0.9616, 0.2335),
        "ipnn": (0.9642, 0.2177),
        "deepfm": (0.9520, 0.2410),
        "xdeepfm": (0.9694, 0.2043),
        "interhat_s": (0.9616, 0.2151),
        "interhat": (0.9696, 0.2026),
    },
}

# Sections 4.1.3 and 4.1.4 of the paper: the number of heads, and the highest order, that is best.
# On Criteo and Avazu the order makes a "marginal" difference, so that none is best.
BEST = {
    "figure_3": {"criteo": 8, "avazu": 4, "frappe": 1},
    "figure_4": {"frappe": 3},
}

# BARS, Frappe_x1: the NFM split with its original negatives, embedding size 10,
# the best of the tuned runs (one seed). https://github.com/reczoo/BARS
BARS_FRAPPE = {
    "lr": (0.9356, 0.3076),
    "fm": (0.9671, 0.2065),
    "afm": (0.9697, 0.2264),
    "ffm": (0.9786, 0.1860),
    "autoint": (0.9831, 0.1637),
    "dnn": (0.9833, 0.1622),
    "dcn": (0.9839, 0.1527),
    "ipnn": (0.9841, 0.1540),
    "wide_deep": (0.9841, 0.1490),
    "deepfm": (0.9842, 0.1482),
    "xdeepfm": (0.9845, 0.1466),
    "dcn_v2": (0.9845, 0.1491),
}
