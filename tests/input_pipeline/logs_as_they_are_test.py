"""A log with all that made earlier versions read what is not there, each in a column of its own."""

import re

import keras
import numpy as np
import pandas as pd
import pytest

from interhat_tf import explain_records, prepare_click_log
from tests.training.runs import make_model

ROWS = 300
NULLS = ["NA", "null", "-", "?"]


def log():
    """A table as a new user has it, text as in a CSV file."""
    random = np.random.default_rng(0)
    row = np.arange(ROWS)
    prices = pd.Series([f"{price:.6g}" for price in random.lognormal(0, 6, ROWS)])
    ages = pd.Series([f"{age:.1f}" for age in random.normal(40, 12, ROWS)])
    return pd.DataFrame(
        {
            "click": np.where(row % 3, "no", "yes"),
            "user": [f"{number}.0" if number % 5 else "" for number in row % 20],
            **{f"price {i}": prices.where(row != 7 * i, word) for i, word in enumerate(NULLS)},
            "age": ages.where(row % 10 > 0, ""),
            "id": [f"{10**18 + 7919 * number}" for number in row],
            "timestamp": [f"{1_700_000_000_000 + 3_600_123 * number}" for number in row],
            "seen_at": pd.date_range("2024-01-01", periods=ROWS, freq="97min").astype(str),
            "born": pd.date_range("1990-01-01", periods=ROWS).strftime("%Y-%m-%d"),
            "genres": ["Comedy|Drama", "Drama", "Comedy"] * (ROWS // 3),
            "plan": "basic",
        }
    )


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    """What is printed of each column: its kind, and the note."""
    folder = tmp_path_factory.mktemp("log")
    log().to_csv(folder / "log.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr("builtins.print", lambda text, **_: lines.extend(text.splitlines()))
        prepare_click_log(folder / "log.csv", name="log", data_dir=folder, dry_run=True)
    assert not (folder / "log").exists()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {of_column[0]: (of_column[1], of_column[-1]) for of_column in cells if of_column}


@pytest.mark.parametrize(
    ("column", "kind", "note"),
    [
        ("click", "label", "'yes' is a click, 'no' none"),
        ("user", "categorical", ""),  # ids with gaps, which pandas wrote as floats
        *[(f"price {i}", "numerical", f"missing: {word!r}") for i, word in enumerate(NULLS)],
        ("age", "numerical", ""),
        ("id", "left out", "one value a row"),
        ("timestamp", "time", "as timestamp_hour, timestamp_weekday"),
        ("seen_at", "time", "as seen_at_hour, seen_at_weekday"),
        ("born", "time", "as born_weekday"),
        ("genres", "categorical", ""),
        ("plan", "left out", "always basic"),
    ],
)
def test_what_a_column_is_taken_for(decided, column, kind, note):
    assert decided[column] == (kind, note)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    with pytest.warns(UserWarning, match=r"left out: 'id' \(one value a row\), 'plan'"):
        return prepare_click_log(log(), name="log", data_dir=tmp_path_factory.mktemp("log"))


def test_values_are_what_the_log_means(data):
    assert set(data.vocabularies["user"]) == {"", *(str(n) for n in range(20) if n % 5)}
    assert set(data.vocabularies["genres"]) == {"Comedy|Drama", "Drama", "Comedy"}
    assert set(data.vocabularies["born_weekday"]) == set(
        pd.date_range("2024-01-01", periods=7).day_name()
    )
    inputs = data.encode(log())
    shares = data.unknown_shares(inputs)
    assert max(shares.values()) == 0
    numbers = dict(zip([f.name for f in data.schema.numerical], inputs["numerical"].T, strict=True))
    for i in range(len(NULLS)):
        missing = np.flatnonzero(np.isnan(numbers[f"price {i}"]))
        assert missing.tolist() == [7 * i]
        present = numbers[f"price {i}"][~np.isnan(numbers[f"price {i}"])]
        assert np.median(np.abs(present)) > 0.1  # not all at one end of the scale
    np.testing.assert_array_equal(np.isnan(numbers["age"]), np.arange(ROWS) % 10 == 0)


def test_a_missing_number_is_no_fact(data):
    keras.utils.set_random_seed(0)
    records = log().iloc[[10, 11]]
    inputs = data.encode(records)
    explanation = explain_records(make_model(data.schema), inputs, data.decode(inputs))
    age = explanation.field_names.index("age")
    assert explanation.label(0, age) == "age unknown"
    assert explanation.label(1, age) == f"age = {float(records['age'].iloc[1]):g}"


def test_lists_of_fractions_are_refused_with_what_to_do(tmp_path):
    table = log().assign(genres=[[0.5, 1.5]] * ROWS)
    with pytest.raises(ValueError, match=r"'genres' is .*list.*leave columns out with exclude="):
        prepare_click_log(table, name="log", data_dir=tmp_path, exclude=["id", "plan"])
