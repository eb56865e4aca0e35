"""Tests of raw records as a model's inputs, and back."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from interhat_tf import prepare_click_log
from tests.input_pipeline.click_logs import log_rows, write


@pytest.fixture
def log(tmp_path):
    """A small valid log of 200 rows."""
    return write(tmp_path, "csv", log_rows()[:200])


def test_raw_records(tmp_path, log):
    data = prepare_click_log(log, name="log", data_dir=tmp_path, scaling="min-max")
    rows = [row for row in log_rows()[:200] if row["price"]][:20]
    columns = {name: [row[name] for row in rows] for name in ("user", "city", "paid", "price")}
    low, high = data.encoding.ranges["price"]
    expected = {
        "categorical": [
            [
                values.index(row[name]) + 1 if row[name] in values else 0
                for name, values in data.vocabularies.items()
            ]
            for row in rows
        ],
        "numerical": [[np.clip((float(row["price"]) - low) / (high - low), 0, 1)] for row in rows],
    }
    numbers = [float(price) for price in columns["price"]]
    for records in (
        columns,
        {**columns, "price": numbers, "other": [None] * 20},
        {
            **columns,
            "price": np.array(numbers),
            "paid": [paid == "true" for paid in columns["paid"]],
        },
        pa.table(columns),
    ):
        inputs = data.encode(records)
        np.testing.assert_array_equal(inputs["categorical"], expected["categorical"])
        np.testing.assert_allclose(inputs["numerical"], expected["numerical"], atol=1e-6)
        data.schema.check(inputs)
    few = {"user": [None], "city": [None], "paid": ["?"], "price": [""]}
    missing = data.vocabularies["city"].index("") + 1
    np.testing.assert_array_equal(data.encode(few)["categorical"], [[0, missing, 0]])
    np.testing.assert_array_equal(data.encode(few)["numerical"], [[np.nan]])
    texts = {"user": [pd.NA, None], "city": [np.nan, "Rome"], "paid": ["?", pd.NA]}
    of_pandas = data.encode({**texts, "price": [pd.NA, 1.0]})  # as `frame.to_dict("list")` is
    assert of_pandas["categorical"][0].tolist() == [0, missing, 0]
    assert np.isnan(of_pandas["numerical"][:, 0]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price": ["1", "x"]}, "field 'price', row 1: 'x' is not a number; a missing one is None"),
        ({"price": [1, np.inf]}, "field 'price', row 1: the number is inf; it must be finite"),
        ({"price": ["nan", 1]}, "field 'price': the values are not a list of texts or of numbers"),
        ({"user": [7, "b"]}, "field 'user': the values are not a list of texts or of numbers"),
        ({"user": 7}, "field 'user': the values are not a list of texts or of numbers"),
        ({"user": "7"}, "field 'user': the values are not a list of texts or of numbers"),
        ({"user": [2**64, 1]}, "field 'user': the values are not a list of texts or of numbers"),
        ({"city": [["a"], ["b"]]}, "field 'city': the values are not a list of texts or of"),
        ({"city": ["a"]}, "the fields have different numbers of values: user 2, city 1"),
    ],
)
def test_wrong_raw_records(tmp_path, log, change, message):
    data = prepare_click_log(log, name="log", data_dir=tmp_path)
    records = {"user": ["1", "2"], "city": ["a", "b"], "paid": [True, False], "price": [1, 2]}
    data.encode(records)
    with pytest.raises(ValueError) as error:
        data.encode({**records, **change})
    assert str(error.value).startswith(message)
    del records["user"], records["price"]
    with pytest.raises(ValueError, match=r"^the records lack these columns: price, user$"):
        data.encode(records)


@pytest.mark.parametrize("scaling", [None, "min-max", "quantiles"])
def test_values_are_readable_again(tmp_path, scaling):
    rows = [f"{i % 2},u{i % 7},{['maps', 'mail', ''][i % 3]},{i / 4}" for i in range(200)]
    (tmp_path / "log.csv").write_text("\n".join(["click,user,app,price", *rows]))
    path = tmp_path / "log.csv"
    data = prepare_click_log(path, name="log", data_dir=tmp_path / "prepared", scaling=scaling)
    records = {"user": ["u3", "nobody"], "app": ["mail", ""], "price": [12.5, 1e9]}
    decoded = data.decode(data.encode(records))
    assert decoded[0].tolist() == ["u3", "mail", "12.5"]
    assert decoded[1, :2].tolist() == ["(other)", "(missing)"]
    assert float(decoded[1, 2]) <= 49.75  # clipped to the training rows' range


def test_buckets_are_readable(tmp_path):
    prices = [f"{2.5**i:g}" if i < 10 else "" for i in range(11)]
    rows = [f"{i % 2},{prices[i % 11]}" for i in range(440)]
    (tmp_path / "log.csv").write_text("\n".join(["click,price", *rows]))
    data = prepare_click_log(
        tmp_path / "log.csv", name="log", data_dir=tmp_path, scaling={"price": "buckets"}
    )
    assert data.schema.field_names == ("price",) and not data.schema.numerical
    encoded = data.encode({"price": [0.1, 2.5, 3, 1e9, None]})
    assert data.decode(encoded)[:, 0].tolist() == [
        "1 to 2.5",
        "2.5 to 6.25",
        "2.5 to 6.25",
        "3814.7",
        "(missing)",
    ]
    assert 0 not in encoded["categorical"]


@pytest.mark.parametrize("records", [{"app": ["a"], "price": [1]}, pa.table({"app": ["a"]})])
def test_records_without_a_field(dataset, records):
    missing = "city" if "price" in records else "city, price"
    with pytest.raises(ValueError, match=rf"^the records lack these columns: {missing}$"):
        dataset.encode(records)


@pytest.mark.parametrize("records", [[{"price": 1.0, "user": "u1"}], "u1", 7])
def test_records_that_are_no_columns(dataset, records):
    message = f"columns or a table, got {type(records).__name__}; pandas.DataFrame"
    with pytest.raises(ValueError, match=message):
        dataset.encode(records)


def test_records_whose_number_is_none(dataset):
    record = {"app": ["app1"] * 2, "city": ["city1"] * 2}
    for number in (np.nan, np.inf, -np.inf):
        message = rf"^field 'price', row 1: the number is {number}; it must be finite$"
        with pytest.raises(ValueError, match=message):
            dataset.encode({**record, "price": [1.0, number]})
    with pytest.raises(ValueError, match=r"^field 'price', row 1: 'many' is not a number"):
        dataset.encode({**record, "price": ["1", "many"]})
    numbers = dataset.encode({**record, "price": ["999", None]})["numerical"]
    np.testing.assert_array_equal(numbers, [[np.float32(999 / 1997)], [0]])


@pytest.fixture
def ids(tmp_path):
    """A set of ids beyond 2^53."""
    ids = [str(2**60 + row % 40) for row in range(200)]
    lines = ["click,user,app", *(f"{row % 2},{user},a{row % 3}" for row, user in enumerate(ids))]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    return prepare_click_log(tmp_path / "log.csv", name="log", data_dir=tmp_path)


def test_ids_that_pandas_made_floats_are_refused(ids, tmp_path):
    """A gap makes floats of the column, which round ids beyond 2^53."""
    (tmp_path / "new.csv").write_text(f"user,app\n{2**60 + 7},a1\n,a2\n")
    read = pd.read_csv(tmp_path / "new.csv")
    message = r"^field 'user', row 0: 1.15\d+e\+18; a float is exact only up to 2\^53: r"
    with pytest.raises(ValueError, match=message):
        ids.encode(read)
    for dtype in ("Int64", "str"):
        right = ids.encode(pd.read_csv(tmp_path / "new.csv", dtype={"user": dtype}))
        expected = ids.id_of("user", str(2**60 + 7))
        assert right["categorical"][:, 0].tolist() == [expected, 0]


def test_unknown_values_are_reported(ids):
    known = str(2**60)
    records = {"user": [known, "8", "9", "10"], "app": ["a1", "a1", "a2", "x"]}
    with pytest.warns(UserWarning, match=r"do not have: user 75%; they count as one unknown"):
        inputs = ids.encode(records)
    assert ids.unknown_shares(inputs) == {"user": 0.75, "app": 0.25}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ids.encode(records, max_unknown=0.75)
        assert ids.encode({"user": [], "app": []})["categorical"].shape == (0, 2)
    with pytest.warns(UserWarning, match="user 75%, app 25%"):
        ids.encode(records, max_unknown=0.2)


def test_records_of_any_table(ids):
    columns = {"user": [str(2**60 + 1), None], "app": ["a1", "a2"]}
    expected = ids.encode(columns)["categorical"]
    for table in (pa.table(columns), pd.DataFrame(columns)):
        np.testing.assert_array_equal(ids.encode(table)["categorical"], expected)
