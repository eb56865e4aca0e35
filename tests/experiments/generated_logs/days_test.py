"""Tests of a log of days: what comes, what goes, and what its clicks follow."""

import numpy as np
import pyarrow.csv as csv
import pytest

from experiments.generated_logs.days import SIZES, Days
from interhat_tf.training.metrics import auc

FIRST_USERS, NEW_USERS = SIZES["users"]


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    folder = tmp_path_factory.mktemp("days")
    log, paths = Days(seed=3), [folder / f"{number}.csv" for number in (1, 2, 3)]
    logits = [log.write(number, 8_000, path) for number, path in enumerate(paths, 1)]
    return [csv.read_csv(path) for path in paths], logits


def test_new_users_come_each_day_and_older_ones_fade(days):
    tables, _ = days
    numbers = [[int(user[4:]) for user in table["user"].to_pylist()] for table in tables]
    for day, users in enumerate(numbers):
        assert max(users) < FIRST_USERS + day * NEW_USERS
    third = np.array(numbers[2])
    of_first = (third < FIRST_USERS).sum() / FIRST_USERS
    of_third = (third >= FIRST_USERS + NEW_USERS).sum() / NEW_USERS
    assert of_first / of_third == pytest.approx(0.8**2, rel=0.15)


def test_clicks_follow_the_logits(days):
    for table, logits in zip(*days, strict=True):
        clicks = np.asarray(table["click"])
        assert clicks.mean() == pytest.approx((1 / (1 + np.exp(-logits))).mean(), abs=0.02)
        assert 0.65 < auc(clicks, logits) < 0.85


def test_a_user_stays_what_he_is_and_an_ad_drifts(days):
    log = Days(seed=3)
    np.testing.assert_array_equal(log.user_effects(3)[:FIRST_USERS], log.user_effects(1))
    ads = log.ad_effects(1)
    drift = log.ad_effects(2)[: len(ads)] - ads
    assert drift.std() == pytest.approx(0.2, rel=0.2)
