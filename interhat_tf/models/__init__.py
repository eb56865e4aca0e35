"""Click-through-rate models, and a registry of them by name."""

from collections.abc import Callable
from functools import partial

from interhat_tf.models.baselines.afm import AFM
from interhat_tf.models.baselines.autoint import AutoInt
from interhat_tf.models.baselines.dcn import DCN
from interhat_tf.models.baselines.dcn_v2 import DCNv2
from interhat_tf.models.baselines.deepfm import DeepFM
from interhat_tf.models.baselines.dien import DIEN
from interhat_tf.models.baselines.din import DIN
from interhat_tf.models.baselines.dnn import DNN
from interhat_tf.models.baselines.ecn import ECN
from interhat_tf.models.baselines.ffm import FFM
from interhat_tf.models.baselines.finalmlp import FinalMLP
from interhat_tf.models.baselines.finalnet import FinalNet
from interhat_tf.models.baselines.fm import FM
from interhat_tf.models.baselines.lr import LR
from interhat_tf.models.baselines.order_exact import OrderExact
from interhat_tf.models.baselines.pnn import PNN
from interhat_tf.models.baselines.qnn_alpha import QNNAlpha
from interhat_tf.models.baselines.wide_and_deep import WideAndDeep
from interhat_tf.models.baselines.xdeepfm import XDeepFM
from interhat_tf.models.click_model import ClickModel
from interhat_tf.models.interhat import InterHAt
from interhat_tf.models.presets import PRESETS
from interhat_tf.utils.registry import Registry

_OWN: dict[str, Callable[..., ClickModel]] = {
    "interhat": InterHAt,
    "interhat_s": partial(InterHAt, self_attention=False),
    "lr": LR,
    "fm": FM,
    "dnn": DNN,
    "wide_deep": WideAndDeep,
    "dcn": DCN,
    "dcn_v2": DCNv2,
    "deepfm": DeepFM,
    "ipnn": partial(PNN, product="inner"),
    "opnn": partial(PNN, product="outer"),
    "pnn": partial(PNN, product="both"),
    "xdeepfm": XDeepFM,
    "autoint": AutoInt,
    "autoint_plus": partial(AutoInt, mlp_units=(400, 400, 400)),
    "finalmlp": FinalMLP,
    "finalnet": FinalNet,
    "ecn": ECN,
    "qnn_alpha": QNNAlpha,
    "afm": AFM,
    "ffm": FFM,
    "order_exact": OrderExact,
    "din": DIN,
    "dien": DIEN,
}

MODELS = Registry("model", "interhat_tf.models", _OWN)
"""What builds each model from a schema and its arguments.

A new model here is a file with its class, a `ClickModel`, and a line above. One of another
package is `@MODELS.register("name")` above its class, or an entry point; see `Registry`.
"""

__all__ = [
    "AFM",
    "DCN",
    "DIEN",
    "DIN",
    "DNN",
    "ECN",
    "FFM",
    "FM",
    "LR",
    "MODELS",
    "PNN",
    "PRESETS",
    "AutoInt",
    "ClickModel",
    "DCNv2",
    "DeepFM",
    "FinalMLP",
    "FinalNet",
    "InterHAt",
    "OrderExact",
    "QNNAlpha",
    "WideAndDeep",
    "XDeepFM",
]
