import gzip

import pandas as pd
import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.robustness import own_logs

GENRES = ["Comedy", "Comedy|Drama", "Drama|War"]


@pytest.fixture
def raw_logs(tmp_path, study_flags):
    """The flags that name a small MovieLens-1M and a small Avazu of made-up rows."""
    folder = tmp_path / "raw"
    folder.mkdir()
    users = [
        f"{user}::{'FM'[user % 2]}::{18 + user % 3 * 7}::{user % 5}::0{1600 + user}"
        for user in range(1, 9)
    ]
    movies = [f"{movie}::Café {movie}, The (1995)::{GENRES[movie % 3]}" for movie in range(1, 21)]
    ratings = [
        f"{1 + row % 8}::{1 + row * 7 % 20}::{1 + row % 5}::{row // 8}" for row in range(600)
    ]
    (folder / "users.dat").write_text("\n".join(users) + "\n")
    (folder / "movies.dat").write_text("\n".join(movies) + "\n", encoding="latin-1")
    (folder / "ratings.dat.gz").write_bytes(gzip.compress("\n".join(ratings).encode()))
    columns = {name: [f"a{row % 3}" for row in range(200)] for name in own_logs.AVAZU_COLUMNS}
    columns |= {"C20": [-1 if row % 3 else 100_084 for row in range(200)], "C1": [1005] * 200}
    log = {"id": range(200), "click": [row % 2 for row in range(200)], "hour": 14102100, **columns}
    pd.DataFrame(log).to_csv(folder / "avazu.csv", index=False)
    with flagsaver.flagsaver(
        raw_dir=str(folder), avazu_log=str(folder / "avazu.csv"), rating_rows=None
    ):
        yield folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:left out")
def test_values_are_those_of_pandas(raw_logs, monkeypatch, capsys):
    assert own_logs.main(None) == 0
    csv, parquet, avazu = read_result("own_logs/summary.json")["logs"]
    assert (csv["rows"], csv["fields"], csv["values"]) == (600, 13, 600 * 14)
    assert parquet["values"] == 600 * 13 and avazu["values"] == 200 * 21
    assert csv["different"] == parquet["different"] == avazu["different"] == 0
    assert "| C1 " in avazu["page"] and "always 1005" in capsys.readouterr().out
    # Values that are read in another way are counted.
    monkeypatch.setitem(own_logs.CSV_FIELDS, "zip", ("zip", lambda zips: zips.str[1:]))
    assert own_logs.main(None) == 1
    assert read_result("own_logs/summary.json")["logs"][0]["different"] > 500
