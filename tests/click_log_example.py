"""A click log as README's example reads it."""

import numpy as np


def write_click_log(path, first_user=0):
    """Writes 900 impressions of 20 users, of apps and prices as CSV."""
    random = np.random.default_rng(first_user)
    rows = [
        f"{random.integers(2)},u{user},{app},{random.random():.2f}"
        for user in range(first_user, first_user + 20)
        for app in ["maps", "mail", "chat"] * 15
    ]
    path.write_text("\n".join(["click,user,app,price", *rows]))
