"""What is read of logs that nobody here wrote, held against pandas' own reading, value by value.

    python -m experiments.robustness.own_logs --raw_dir=ML-1M --avazu_log=train.csv.gz

Makes three logs: MovieLens-1M as CSV, as pandas writes it (titles with commas and quotes, ids
with gaps as `17.0`, zip codes, NA, times), and as Parquet (ids beyond 2^53, nullable numbers and
booleans, dates, times with a zone, decimals, NULL words), and the rows of Avazu that are given,
as they are. Prepares each, prints what it takes the columns for, and compares each value of
each row of the prepared set with what pandas reads. A value that validation or test has and
training lacks is to be unknown. Writes `own_logs/summary.json`; fails if a value differs. Some
minutes on MovieLens' million rows.
"""

import decimal
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments.common.flags import DATA_DIR, RAW_DIR
from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from interhat_tf import prepare_click_log
from interhat_tf.datasets.movielens_ctr.raw_files import raw_files
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing.rows import SPLITS

AVAZU_LOG = flags.DEFINE_string("avazu_log", None, "file of rows of Avazu, train.csv or its head")
ROWS = flags.DEFINE_integer("rating_rows", None, "rows of MovieLens; default: all")

TOLERANCE = 1e-5
"""Of a number, as a share of the training rows' range: numbers are float32."""


def whole(values: pd.Series) -> pd.Series:
    """Returns ids as text, `""` where missing; pandas has those with gaps as floats."""
    return values.astype("Int64").astype("string").fillna("")


def text(values: pd.Series) -> pd.Series:
    """Returns texts, `""` where missing."""
    return values.astype("string").fillna("")


def boolean(values: pd.Series) -> pd.Series:
    """Returns `true` and `false`."""
    return values.astype("boolean").astype("string").str.lower().fillna("")


def hour(values: pd.Series) -> pd.Series:
    """Returns the hour of times, or of seconds since 1970."""
    return text(_times(values).dt.hour.astype("Int64"))


def weekday(values: pd.Series) -> pd.Series:
    """Returns the name of the day of the week."""
    return text(_times(values).dt.day_name())


def number(values: pd.Series) -> pd.Series:
    """Returns floats, NaN where missing."""
    return values.replace("NULL", None).map(float, na_action="ignore").astype(float)


def _times(values):
    return pd.to_datetime(values, unit="s" if pd.api.types.is_numeric_dtype(values) else None)


Expected = dict[str, tuple[str, Callable[[pd.Series], pd.Series]]]
"""For each field that is expected, its column and what pandas makes of it."""

CSV_FIELDS: Expected = {
    **{name: (name, whole) for name in ("user", "movie", "age", "occupation")},
    **{name: (name, text) for name in ("title", "genres", "gender", "zip")},
    "rated_at_hour": ("rated_at", hour),
    "rated_at_weekday": ("rated_at", weekday),
    "timestamp_hour": ("timestamp", hour),
    "timestamp_weekday": ("timestamp", weekday),
    "patience": ("patience", number),
}

PARQUET_FIELDS: Expected = {
    **{name: (name, whole) for name in ("user", "movie")},
    **{name: (name, text) for name in ("genres", "zip")},
    **{name: (name, boolean) for name in ("grown_up", "weekend")},
    "rated_on_weekday": ("rated_on", weekday),
    "rated_at_hour": ("rated_at", hour),
    "rated_at_weekday": ("rated_at", weekday),
    **{name: (name, number) for name in ("price", "patience", "score")},
}

AVAZU_COLUMNS = (
    *("C1", "banner_pos", "site_id", "site_domain", "site_category", "app_id", "app_domain"),
    *("app_category", "device_id", "device_ip", "device_model", "device_type"),
    *("device_conn_type", *(f"C{number}" for number in range(14, 22))),
)


def main(_):
    folder = pathlib.Path(DATA_DIR.value) / "own_logs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = movielens_rows(pathlib.Path(RAW_DIR.value))
    logs = [
        (write_csv(rows, folder / "movielens.csv"), "liked", read_csv, CSV_FIELDS),
        (write_parquet(rows, folder / "likes.parquet"), "liked", read_parquet, PARQUET_FIELDS),
    ]
    if AVAZU_LOG.value:
        avazu = pd.read_csv(AVAZU_LOG.value, low_memory=False)
        fields = {
            name: (name, whole if pd.api.types.is_integer_dtype(avazu[name]) else text)
            for name in AVAZU_COLUMNS
            if avazu[name].nunique() > 1
        }
        logs.append((pathlib.Path(AVAZU_LOG.value), "click", pd.read_csv, fields))
    found = [compare(path, label, read, fields, folder) for path, label, read, fields in logs]
    header = ["log", "rows", "fields", "values", "unknown", "different"]
    print(markdown_table(header, [[summary[name] for name in header] for summary in found]))
    write_result("own_logs/summary.json", record("pandas", "pyarrow", logs=found))
    return int(any(summary["different"] or summary["rows_missing"] for summary in found))


def movielens_rows(folder: pathlib.Path) -> pd.DataFrame:
    """Returns the ratings with all that is known of their users and movies."""
    paths = raw_files(folder)

    def read(name: str, columns: list[str]) -> pd.DataFrame:
        options = {"sep": "::", "engine": "python", "encoding": "latin-1", "header": None}
        return pd.read_csv(paths[name], names=columns, dtype={"zip": str}, **options)

    ratings = read("ratings", ["user", "movie", "rating", "order"])[: ROWS.value]
    users = read("users", ["user", "gender", "age", "occupation", "zip"])
    movies = read("movies", ["movie", "title", "genres"])
    return ratings.merge(users, "left", "user").merge(movies, "left", "movie")


def write_csv(rows: pd.DataFrame, path: pathlib.Path) -> pathlib.Path:
    """Writes the rows as pandas does, ids and ages with gaps, and NA beside numbers."""
    seconds = 978_300_000 + rows["user"] * 3_607 + rows["order"] * 61
    number = np.arange(len(rows))
    columns = {
        "liked": np.where(rows["rating"] >= 4, "yes", "no"),
        "user": rows["user"],
        "movie": rows["movie"].astype(float).where(number % 50 != 0),
        "title": rows["title"].where(number % 31 != 0, 'said "the best, ever"'),
        "genres": rows["genres"],
        "gender": rows["gender"],
        "age": rows["age"].astype(float).where(number % 17 != 0),
        "occupation": rows["occupation"],
        "zip": rows["zip"],
        "patience": (rows["order"] / 8 - 3).astype(object).where(number % 13 != 0, "NA"),
        "rated_at": pd.to_datetime(seconds, unit="s").astype(str),
        "timestamp": seconds,
    }
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def write_parquet(rows: pd.DataFrame, path: pathlib.Path) -> pathlib.Path:
    """Writes the rows with the types that other programs give them."""
    number = np.arange(len(rows))
    times = pd.to_datetime(978_300_000 + rows["user"] * 3_607 + rows["order"] * 61, unit="s")
    cents = rows["movie"] * 7 % 1_000
    prices = [decimal.Decimal(int(amount)).scaleb(-2) for amount in cents]
    columns = {
        "liked": rows["rating"] >= 4,
        "user": rows["user"].astype("uint64") + (1 << 60),
        "movie": rows["movie"].astype("Int64").where(number % 50 != 0),
        "genres": rows["genres"].astype("category"),
        "zip": rows["zip"],
        "grown_up": (rows["age"] >= 18).astype("boolean").where(number % 19 != 0),
        "weekend": times.dt.day_of_week >= 5,
        "rated_on": times.dt.date,
        "rated_at": times.dt.tz_localize("UTC"),
        "price": pd.Series(prices).where(number % 23 != 0),
        "patience": (rows["order"] / 8 - 3).where(number % 13 != 0),
        "score": (rows["order"] / 4).astype(str).where(number % 29 != 0, "NULL"),
    }
    pd.DataFrame(columns).to_parquet(path, row_group_size=100_000)
    return path


def read_csv(path: pathlib.Path) -> pd.DataFrame:
    """Returns what pandas reads of a CSV file, told that zip codes are text: 01609 is not 1609."""
    return pd.read_csv(path, dtype={"zip": str}, low_memory=False)


def read_parquet(path: pathlib.Path) -> pd.DataFrame:
    """Returns what pandas reads of a Parquet file, ids with gaps as whole numbers."""
    return pd.read_parquet(path, dtype_backend="numpy_nullable")


def compare(
    path: pathlib.Path,
    label: str,
    read: Callable[..., pd.DataFrame],
    fields: Expected,
    folder: pathlib.Path,
) -> dict[str, Any]:
    """Prepares a log, and returns how many of its values are not what pandas reads."""
    name = f"own_{path.name.partition('.')[0]}"
    options = {"name": name, "data_dir": folder / "sets", "split": "position"}
    data = prepare_click_log(path, label=label, **options)
    if set(data.schema.field_names) != set(fields):
        wrong = sorted(set(data.schema.field_names) ^ set(fields))
        raise ValueError(f"{path}: of the fields {', '.join(wrong)} either is not as expected")
    frame = read(path)
    expected = pd.DataFrame({name: of(frame[column]) for name, (column, of) in fields.items()})
    expected["label"] = frame[label].isin(["yes", True, 1]).astype(int)
    ends = [len(frame) * tenths // 10 for tenths in (0, 8, 9, 10)]
    counts = {"values": 0, "unknown": 0, "different": 0, "rows_missing": 0}
    training = expected[: ends[1]]
    for split, start, end in zip(SPLITS, ends[:-1], ends[1:], strict=True):
        for what, count in differences(data, split, expected[start:end], training).items():
            counts[what] += count
    page = (folder / "sets" / data.name / "columns.md").read_text()
    print(page)
    return {"log": path.name, "rows": len(frame), "fields": len(fields), **counts, "page": page}


def differences(
    data: PreparedDataset, split: str, expected: pd.DataFrame, training: pd.DataFrame
) -> dict[str, int]:
    """Returns how many values of a split were compared, are unknown, and differ.

    Rows are in another order in a set: both are sorted.
    """
    fields = list(data.schema.field_names)
    found = pd.DataFrame(np.concatenate(list(_decoded(data, split))), columns=[*fields, "label"])
    expected = expected[found.columns].copy()
    numerical = [field.name for field in data.schema.numerical]
    unknown = 0
    for name in fields:
        if name in numerical:
            low, high = training[name].min(), training[name].max()
            expected[name] = expected[name].clip(low, high)
            found[name] = pd.to_numeric(found[name].replace("(missing)", None))
        else:
            known = expected[name].isin(training[name])
            unknown += int((~known).sum())
            expected[name] = expected[name].replace("", "(missing)").where(known, "(other)")
    order = ["label", *(name for name in fields if name not in numerical), *numerical]
    expected, found = (
        frame.astype({"label": int}).sort_values(order, ignore_index=True)
        for frame in (expected, found)
    )
    rows = min(len(expected), len(found))
    different = 0
    for name in order:
        one, other = expected[name][:rows], found[name][:rows]
        if name in numerical:
            within = TOLERANCE * (training[name].max() - training[name].min())
            same = ((one - other).abs() <= within) | (one.isna() & other.isna())
        else:
            same = one.astype(object) == other.astype(object)
        different += int((~same).sum())
    return {
        "values": rows * len(order),
        "unknown": unknown,
        "different": different,
        "rows_missing": len(expected) - rows + len(found) - rows,
    }


def _decoded(data: PreparedDataset, split: str) -> Iterator[np.ndarray]:
    for inputs, labels in data.evaluation_batches(split).as_numpy_iterator():
        yield np.column_stack([data.decode(inputs), labels.astype(object)])


if __name__ == "__main__":
    run_program(main, required=["raw_dir"])
