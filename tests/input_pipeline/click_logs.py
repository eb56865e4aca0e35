"""Click logs of made-up rows, in the forms that users have them."""

import collections
import csv
import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interhat_tf.preprocessing.rows import SPLITS

ROWS = 600


CITIES = ["Zürich", 'the "big" one', "a, b", "", "東京", " x "]


def log_rows():
    """Rows of click, user, city, paid and price, all of them text; "" is a missing value."""
    random = np.random.default_rng(0)
    return [
        {
            "click": str(int(random.random() < 0.4)),
            "user": str(random.integers(40)).zfill(3),
            "city": CITIES[random.integers(len(CITIES))],
            "paid": ["true", "false"][random.integers(2)],
            "price": "" if random.random() < 0.2 else f"{random.normal(scale=50):.2f}",
        }
        for _ in range(ROWS)
    ]


def csv_text(rows, delimiter=",", line_end="\r\n"):
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, rows[0], delimiter=delimiter, lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def parquet_table(rows):
    """The rows with types as other programs write them; numbers for the users."""
    return pa.table(
        {
            "click": pa.array([row["click"] == "1" for row in rows]),
            "user": pa.array([int(row["user"]) for row in rows], pa.int32()),
            "city": pa.array([row["city"] or None for row in rows]).dictionary_encode(),
            "paid": pa.array([row["paid"] == "true" for row in rows]),
            "price": pa.array([float(row["price"]) if row["price"] else None for row in rows]),
        }
    )


def write(folder, form, rows):
    """Writes rows in a form; returns what to give as `paths`."""
    plain = csv_text(rows)
    if form == "csv":
        (folder / "log.csv").write_bytes(b"\xef\xbb\xbf" + plain)
    elif form == "csv.gz":
        (folder / "log.csv.gz").write_bytes(gzip.compress(plain))
    elif form == "txt.zst":
        (folder / "log.txt.zst").write_bytes(pa.compress(plain, "zstd", asbytes=True))
    elif form == "tsv":
        (folder / "log.tsv").write_bytes(csv_text(rows, "\t", "\n").removesuffix(b"\n"))
    elif form == "parts":
        (folder / "log").mkdir()
        (folder / "log/_SUCCESS").touch()
        (folder / "log/part-1.csv.gz").write_bytes(gzip.compress(csv_text(rows[250:])))
        (folder / "log/part-0.csv").write_bytes(csv_text(rows[:250]))
        return folder / "log"
    elif form == "parquet":
        pq.write_table(parquet_table(rows), folder / "log.parquet", row_group_size=270)
    else:
        table = parquet_table(rows)
        parts = table[:1], table[:0], table[1:]
        for number, part in enumerate(parts):
            pq.write_table(part, folder / f"{number}.snappy.parquet")
        return [str(folder / f"{number}.snappy.parquet") for number in range(3)]
    return folder / f"log.{form}"


def encode(rows, splits, categorical, numerical, min_count=1):
    """What the rows of each split are to become, sorted: ids, numbers and label of each."""
    training = [row for row, split in zip(rows, splits, strict=True) if split == "train"]
    ids, ranges = {}, {}
    for name in categorical:
        counts = collections.Counter(row[name] for row in training)
        order = sorted(counts, key=lambda value: (-counts[value], value.encode()))
        ids[name] = {
            value: number for number, value in enumerate(order, 1) if counts[value] >= min_count
        }
    for name in numerical:
        numbers = [float(row[name]) for row in training if row[name]]
        ranges[name] = min(numbers), max(numbers)

    def scale(text, low, high):
        return min(max((float(text) - low) / (high - low), 0), 1) if text else np.nan

    encoded = {split: [] for split in SPLITS}
    for row, split in zip(rows, splits, strict=True):
        values = [ids[name].get(row[name], 0) for name in categorical]
        values += [scale(row[name], *ranges[name]) for name in numerical]
        encoded[split].append([*values, int(row["click"])])
    return {split: in_order(np.array(rows)) for split, rows in encoded.items()}


def in_order(rows):
    """Rows sorted; NaN, a missing number, comes before the others."""
    return rows[np.lexsort(np.nan_to_num(rows, nan=-1).round(6).T)]


def stored(data, split):
    """The rows of a split of a prepared set, sorted."""
    rows = [
        np.column_stack([*inputs.values(), labels])
        for inputs, labels in data.evaluation_batches(split, 128).as_numpy_iterator()
    ]
    return in_order(np.concatenate(rows))


def assert_prepared(data, rows, splits, categorical, numerical, **options):
    expected = encode(rows, splits, categorical, numerical, **options)
    assert data.schema.field_names == (*categorical, *numerical)
    assert len(data.schema.categorical) == len(categorical)
    for split in SPLITS:
        data.check(split)
        np.testing.assert_allclose(stored(data, split), expected[split], rtol=0, atol=1e-6)
