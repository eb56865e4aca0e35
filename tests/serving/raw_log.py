"""A log of all kinds of columns, and its records as an exported model takes them."""

import datetime

import numpy as np

from interhat_tf import prepare_click_log

SCALING = {"price": "log", "age": "quantiles", "hits": "min-max", "depth": "buckets"}
APPS = ["maps", "größe", "", "a b", "NA", "x" * 40]


def write_log(path, rows=600):
    """Writes a CSV log with missing values in most columns."""
    random = np.random.default_rng(0)
    lines = ["click,app,M.ID,member,price,age,hits,depth,seen at"]
    for row in range(rows):
        price = "" if row % 9 == 2 else f"{random.lognormal(3, 3):.6g}"
        age = "NA" if row % 11 == 3 else f"{random.normal(40, 15):.1f}"
        hits = "" if row % 13 == 1 else 1e9 + random.integers(1000)
        depth = "" if row % 7 == 5 else f"{random.normal():.2f}"
        number = "NA" if row % 5 == 4 else random.integers(30)
        member = ["true", "false", "-"][random.integers(3)]
        time = "" if row % 8 == 1 else f"2024-01-{random.integers(1, 8):02} {row % 20:02}:30:00"
        app = APPS[random.integers(len(APPS))]
        values = [app, number, member, price, age, hits, depth, time]
        lines.append(",".join(map(str, [random.integers(2), *values])))
    path.write_text("\n".join(lines) + "\n")
    return path


def prepare(folder):
    log = write_log(folder / "clicks.csv")
    return prepare_click_log(log, name="clicks", data_dir=folder, scaling=SCALING)


def raw_records(rows, seed=1):
    """Returns records as `encode` takes them, by column; some values are unknown, some missing."""
    random = np.random.default_rng(seed)

    def drawn(*choices):
        return [choices[i]() for i in random.integers(len(choices), size=rows)]

    def moment():
        days = datetime.timedelta(seconds=int(random.integers(0, 40 * 365 * 86_400)))
        return str(datetime.datetime(1990, 1, 1) + days)

    apps = [*APPS, "games", "Maps", "na"]
    words = ["true", "TRUE", "f", "F", "Yes", "nO", "-", "perhaps", "NA"]
    return {
        "app": drawn(lambda: apps[random.integers(len(apps))], lambda: None),
        "M.ID": drawn(*(lambda f=f: f.format(random.integers(40)) for f in ("{}", "{}.0", "NA"))),
        "member": drawn(lambda: words[random.integers(len(words))], lambda: None),
        "price": drawn(lambda: random.lognormal(3, 4), lambda: -1e300, lambda: None),
        "age": drawn(lambda: random.normal(40, 30), lambda: 0.0, lambda: None),
        "hits": drawn(lambda: 1e9 + random.integers(-9, 2000), lambda: None),
        "depth": drawn(lambda: round(random.normal(), 2), lambda: -99.0, lambda: None),
        "seen at": drawn(moment, lambda: None),
    }


def as_served(records):
    """Returns the same records as an exported model takes them, arrays by column."""
    columns = {}
    for name, values in records.items():
        if name in ("app", "M.ID", "member"):
            columns[name] = np.array([v or "" for v in values], object)
        elif name == "seen at":
            zone = datetime.UTC
            columns[name] = np.array(
                [
                    datetime.datetime.fromisoformat(v).replace(tzinfo=zone).timestamp()
                    if v
                    else np.nan
                    for v in values
                ]
            )
        else:
            columns[name] = np.array([np.nan if v is None else v for v in values], "float64")
    return columns
