"""A click log as README's example reads it."""

import numpy as np

from interhat_tf.explanation import effect_fitting
from interhat_tf.models import PRESETS


def write_click_log(path, first_user=0):
    """Writes 900 impressions of 20 users, of apps and prices as CSV."""
    random = np.random.default_rng(first_user)
    rows = [
        f"{random.integers(2)},u{user},{app},{random.random():.2f}"
        for user in range(first_user, first_user + 20)
        for app in ["maps", "mail", "chat"] * 15
    ]
    path.write_text("\n".join(["click,user,app,price", *rows]))


def train_briefly(patch, epochs=1):
    """Lets trainings of `"tuned"`, alignment too, and fits of effects take a moment.

    Args:
        patch: What takes it back, a `pytest.MonkeyPatch`.
        epochs: Epochs of a training, and of its alignment. Defaults to 1.
    """
    for name in ("max_epochs", "alignment_epochs"):
        patch.setitem(PRESETS["tuned"].training, name, epochs)
    patch.setattr(effect_fitting, "least_steps", lambda schema: 100)
