"""Days of a made-up log, each with users that the days before it did not have."""

import numpy as np

from interhat_tf import prepare_click_log

USERS_A_DAY = 12


def write_day(folder, number, rows=400):
    """Writes day number 1, 2, … into a folder of parts: users move on by half of a day's."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(number)
    users = (number - 1) * USERS_A_DAY // 2 + random.integers(0, USERS_A_DAY, rows)
    lines = [
        f"{random.integers(2)},u{user},{('maps', 'mail', 'chat')[random.integers(3)]},"
        f"{number * random.random():.3f}"
        for user in users
    ]
    path = folder / f"day{number}.csv"
    path.write_text("\n".join(["click,user,app,price", *lines]) + "\n")
    return path


def prepare_days(folder, days, **options):
    """Prepares days 1, 2, … of a folder that grows, each set from the one before; returns all."""
    sets = []
    for number in range(1, days + 1):
        write_day(folder / "log", number)
        more = {"grow": sets[-1], **options} if sets else {}
        name, data_dir = f"day{number}", folder / "prepared"
        sets.append(prepare_click_log(folder / "log", name=name, data_dir=data_dir, **more))
    return sets
