"""Click logs of one day after the other, in which users and ads come and go.

A click's logit is

    b + u_user + v_ad + <p_user, q_ad> + s_site,  p, q of 2 dimensions

with normal u, v, p, q and s. Each day has new users and ads; those that are d days old are drawn
with a weight of `KEPT ** d`, and v drifts from day to day. What a day holds follows from its
number and the seed.
"""

import pathlib

import numpy as np
import pyarrow as pa
from pyarrow import csv

INTERCEPT = -1.5
SIZES = {"users": (2_000, 500), "ads": (200, 50)}
"""How many there are on the first day, and how many each later day brings."""
SITES, SITE_SD = 50, 0.3
USER_SD, AD_SD, TASTE_SD, DRIFT_SD = 0.7, 0.7, 0.8, 0.2
KEPT = 0.8


class Days:
    """Days of a log.

    Args:
        seed: Seed of the values, their effects and the clicks.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def write(self, day: int, rows: int, path: pathlib.Path) -> np.ndarray:
        """Writes a day as CSV.

        Args:
            day: The day's number, from 1.
            rows: Its number of rows.
            path: The file.

        Returns:
            The true logits of its rows, (rows,).
        """
        rng = np.random.default_rng([self.seed, day])
        users, ads = (_draw(rng, day, rows, *SIZES[kind]) for kind in ("users", "ads"))
        sites = rng.integers(SITES, size=rows)
        logits = INTERCEPT + self.user_effects(day)[users] + self.ad_effects(day)[ads]
        logits += (self._tastes("users", day)[users] * self._tastes("ads", day)[ads]).sum(axis=1)
        logits += np.random.default_rng(self.seed).normal(scale=SITE_SD, size=SITES)[sites]
        clicks = rng.random(rows) < 1 / (1 + np.exp(-logits))
        names = {"user": users, "ad": ads, "site": sites}
        columns = {name: [f"{name}{number}" for number in drawn] for name, drawn in names.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        csv.write_csv(pa.table({"click": clicks.astype(np.int8), **columns}), path)
        return logits

    def user_effects(self, day: int) -> np.ndarray:
        """Returns u of all users that have come up to a day."""
        return USER_SD * self._normal("user", "users", day)

    def ad_effects(self, day: int) -> np.ndarray:
        """Returns v, on a day, of all ads that have come up to it."""
        drifts = (self._normal(f"drift {d}", "ads", day) for d in range(2, day + 1))
        return AD_SD * self._normal("ad", "ads", day) + DRIFT_SD * sum(drifts)

    def _tastes(self, kind: str, day: int) -> np.ndarray:
        pairs = [self._normal(f"{kind} taste {i}", kind, day) for i in (1, 2)]
        return TASTE_SD * np.stack(pairs, axis=1)

    def _normal(self, name: str, kind: str, day: int) -> np.ndarray:
        first, new = SIZES[kind]
        # The first ones stay as they are, however many come behind them.
        rng = np.random.default_rng([self.seed, *name.encode()])
        return rng.normal(size=first + (day - 1) * new)


def _draw(rng, day, rows, first, new):
    """Draws values that have come up to a day; younger ones are more frequent."""
    ages = np.concatenate([np.full(first, day - 1), np.repeat(np.arange(day - 2, -1, -1), new)])
    weights = KEPT**ages
    return rng.choice(len(ages), rows, p=weights / weights.sum())
