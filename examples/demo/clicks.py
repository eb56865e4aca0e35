"""A click log whose truth is known: what people click on, and why, is written here."""

import pathlib

import numpy as np

ROWS = 40_000
VALUES = {
    "app": ["games", "maps", "mail", "music", "news", "chess"],
    "weekday": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    "device": ["phone", "tablet", "laptop"],
    "user": [f"u{number}" for number in range(40)],
}
TRUTH = (
    "Games on Sundays are clicked often, by those two values together: neither does much alone. "
    "A phone raises the clicks a little, a high price lowers them, and users are all alike."
)


def write_log(path: pathlib.Path, seed: int = 0) -> None:
    """Writes the log, of which 2% of the prices are missing.

    Args:
        path: The CSV file.
        seed: Seed of the rows and clicks. Defaults to 0.
    """
    random = np.random.default_rng(seed)
    columns = {name: random.choice(values, ROWS) for name, values in VALUES.items()}
    price = np.round(random.gamma(2.0, 2.5, ROWS), 2)
    together = (columns["app"] == "games") & (columns["weekday"] == "Sun")
    logits = -2.0 + 3.5 * together + 0.8 * (columns["device"] == "phone") - 0.12 * price
    clicks = random.random(ROWS) < 1 / (1 + np.exp(-logits))
    prices = np.where(random.random(ROWS) < 0.02, "", price.astype(str))
    rows = zip(clicks.astype(int), *columns.values(), prices, strict=True)
    lines = [",".join(["click", *columns, "price"]), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
