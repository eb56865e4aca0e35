"""The models as their papers have them, to be compared in speed at the sizes of a data set."""

from typing import Any

from interhat_tf.models import MODELS
from interhat_tf.models.click_model import ClickModel
from interhat_tf.models.presets import DATASETS, hyperparameters
from interhat_tf.schema import Schema

# The layers of each model's own paper, on Criteo where it says so; of FinalMLP, FinalNet and
# QNN-alpha those of the public logs on Criteo_x4 (`common/published.py`).
PAPERS = {
    "wide_deep": {"mlp_units": (1024, 512, 256)},
    "dcn": {"num_cross_layers": 6, "mlp_units": (1024, 1024)},
    "ipnn": {"mlp_units": (400, 400, 400)},
    "deepfm": {"mlp_units": (400, 400, 400)},
    "xdeepfm": {"cin_units": (200, 200, 200), "mlp_units": (400, 400)},
    "autoint": {"num_layers": 3, "num_heads": 2, "key_dim": 32},
    "finalmlp": {"mlp_units": (1000,) * 5, "second_mlp_units": (500,), "num_heads": 50},
    "finalnet": {"mlp_units": (1000, 1000, 1000), "second_mlp_units": (512,)},
    "qnn_alpha": {"num_layers": 4, "num_maps": 5},
    # A vector of this width for each pair of a value and another field.
    "ffm": {"embedding_dim": 4},
}
# The released form, the ablation, the printed equations, and the preset for a log of one's own. The
# paper does not give d_K: it is d / h or 1, whichever is more, or s.
INTERHAT = {
    "interhat": ("interhat", "released"),
    "interhat_s": ("interhat_s", "released"),
    "interhat_paper": ("interhat", "paper"),
    "interhat_wide": ("interhat", "paper"),
    "interhat_tuned": ("interhat", "tuned"),
}


def build(name: str, schema: Schema, size: str, **arguments: Any) -> ClickModel:
    """Returns a model of Table 2's embedding size and the layers that its own paper gives it.

    Its name is one of the registry or of `INTERHAT`; arguments that are given win.
    """
    model = INTERHAT[name][0] if name in INTERHAT else name
    return MODELS[model](schema, **{**arguments_of(name, size), **arguments})


def arguments_of(name: str, size: str) -> dict[str, Any]:
    """Returns the arguments of `build`'s model."""
    if name == "lr":
        return {}
    if name not in INTERHAT:
        return {"embedding_dim": DATASETS[size].sizes["embedding_dim"], **PAPERS.get(name, {})}
    model, preset = INTERHAT[name]
    arguments, _ = hyperparameters(size, preset, model)
    if name == "interhat_paper":
        arguments["key_dim"] = max(1, arguments["embedding_dim"] // arguments["num_heads"])
    return arguments
