"""Tests of what the page says of a user's own log, on made-up summaries."""

import pytest

from experiments.report import own_log_page


def figures(*names, mean=0.7, **means):
    """A mean and a deviation for each name."""
    of_names = {**dict.fromkeys(names, mean), **means}
    return {name: {"mean": value, "std": 0.01} for name, value in of_names.items()}


def test_exports(measured, page_of):
    names = ("unknown_share", "order_weights", "field_weights", "effects")
    row = {"file": "ONNX", "calibration": "platt", **dict.fromkeys(names, 0.0), "effects": 1.3e-7}
    row |= {"order_weights": 4e-8, "field_weights": 5e-8}
    rows = [{**row, "probability": 2.7e-7}]
    summary = {**measured, "records": 10_000, "missing": 0.098, "unknown": 0.028, "rows": rows}
    text = page_of(exports=summary)
    assert "10,000 made-up records, 10% of whose values are missing and 3% of whose ids" in text
    assert "| ONNX | Platt scaling | 3e-07 | 0 | 4e-08 | 5e-08 | 1e-07 |" in text


def test_new_users(measured, page_of):
    scores = {"auc_of_new": 0.7, "logloss_of_new": 0.6, "auc": 0.8, "logloss": 0.5}
    forms = {"never": figures(**scores, difference=-0.03, difference_of_known=-0.02)}
    text = page_of(new_users={**measured, "seeds": [0, 1, 2], "forms": forms})
    assert "3 seeds" in text
    assert "| nothing | -0.0300 ± 0.0100 | -0.0200 ± 0.0100 | 0.7000 ± 0.0100 | 0.6000" in text
    assert "| 0.8000 ± 0.0100 | 0.5000 ± 0.0100 |" in text


def test_sampled_negatives(measured, page_of):
    apart = {"mean": 0.002, "low": -0.001, "high": 0.005}
    methods = {
        "offset": figures("auc", "logloss", ratio=1.02),
        "weights": {**figures(auc=0.7, logloss=0.2, ratio=0.98), "logloss_less_offset": apart},
    }
    summary = {**measured, "seeds": [1, 2], "rows": 100_000, "rate": 0.05, "methods": methods}
    text = page_of(sampled_negatives=summary)
    assert "Of a generated log of 100,000 rows, 5% of the rows without a click" in text
    assert "| 0.7000 ± 0.0100 | 1.020 ± 0.010 | – |" in text
    assert "| weights of 1 / share | 0.7000 ± 0.0100 | 0.2000 ± 0.0100 | 0.980 ± 0.010 |" in text
    assert "| +0.0020 [-0.0010, +0.0050] |" in text


def test_scales_and_logs(measured, page_of, monkeypatch):
    score = {"mean": 0.77, "std": 0.01}
    better = {"mean": 0.8, "std": 0.01, "difference": {"mean": 0.03, "low": 0.02, "high": 0.04}}
    scales = {"min-max": {"auc": score, "logloss": score}, "log": {"auc": better, "logloss": score}}
    summary = {**measured, "seeds": [0, 1], "rows": 3000, "models": {"tuned": scales}}
    monkeypatch.setattr(own_log_page, "read_results", lambda _: {"counts": summary})
    text = page_of(number_scales=own_log_page.read_number_scales()[0])
    assert "on Criteo's counts, 3,000 rows, validation, 2 seeds" in text
    assert "by `python -m experiments.tuning.number_scales --counts=train.txt`" in text
    assert "| `tuned` | min-max | 0.7700 ± 0.0100 | – | 0.7700 ± 0.0100 |" in text
    assert "| `tuned` | log | 0.8000 ± 0.0100 | +0.0300 [+0.0200, +0.0400] |" in text


def test_embeddings_of_numbers(measured, page_of, monkeypatch):
    score = {"mean": 0.77, "std": 0.01}
    better = {"mean": 0.8, "std": 0.01, "difference": {"mean": 0.03, "low": 0.02, "high": 0.04}}
    found = {
        "product": {"auc": score, "logloss": score},
        "autodis": {
            "auc": better,
            "logloss": {**score, "difference": {"mean": -0.05, "low": None}},
        },
    }
    summary = {**measured, "seeds": [0, 1], "rows": 3000, "numbers": found}
    generated = {**summary, "best": {"auc": 0.81234, "logloss": 0.4}}
    logs = {
        **{"generated/paper": generated, "generated/tuned": generated},
        "table/dnn": {**summary, "table": "cars.csv", "above": "price"},
        "movielens/dnn": summary,
    }
    monkeypatch.setattr(own_log_page, "read_results", lambda _: logs)
    generated, table, movielens = map(
        lambda part: page_of(numerical_embeddings=part), own_log_page.read_numerical_embeddings()
    )
    assert "3,000 rows, test, 2 seeds. The best possible AUC is 0.8123." in generated
    assert "| `paper` | `product` | 0.7700 ± 0.0100 | – | 0.7700 ± 0.0100 | – |" in generated
    assert generated.index("| `tuned` | `autodis` |") < generated.index("| `paper` | `product` |")
    assert "| `paper` | `autodis` | 0.8000 ± 0.0100 | +0.0300 [+0.0200, +0.0400] |" in generated
    assert "| 0.7700 ± 0.0100 | -0.0500 |" in generated
    assert "on `cars.csv`, whether `price` is above its median, 3,000 rows" in table
    assert "best possible" not in table
    assert "experiments.tuning.numerical_embeddings --table=cars.csv --above=price`" in table
    assert "numerical_embeddings --movielens_dir=<folder> --embedded_rows=3000`" in movielens


@pytest.mark.parametrize("different", [0, 1234])
def test_what_is_read(measured, page_of, different):
    log = {"log": "a.csv", "rows": 5000, "fields": 7, "values": 40_000}
    log |= {"unknown": 12, "different": different, "rows_missing": 0}
    text = page_of(own_logs={**measured, "logs": [log]})
    assert f"| `a.csv` | 5,000 | 7 | 40,000 | {different:,} | 0 | 12 |" in text


def test_a_line_for_each_way_to_split_and_each_number_of_records():
    prepared = {
        **{"split": "random", "rows": 10_000, "fields": 12, "log_gigabytes": 0.846, "seconds": 2.0},
        **{"rows_per_second": 5000.4, "rows_per_processor_second": 2500.0, "peak_gigabytes": 1.5},
    }
    (row,) = own_log_page.preparation({"prepared": [prepared]})["lines"].rows
    assert row == ["`random`", "10,000", "12", "0.85", "2.0", "5,000", "2,500", "1.50"]
    served = own_log_page.server(
        {
            "rows": [{"records": 1, "p50": 0.0007, "p99": 0.00107}],
            "calls": {"1": 1000},
            "refused": {"400": 91, "422": 909},
        }
    )
    assert served["lines"].rows == [["1", "1,000", "0.70", "1.07"]]
    assert (served["wrong"], served["statuses"]) == ("1,000", "400, 422")


def test_scoring(measured, page_of):
    way = {"way": "none", "rows": 5_000_000, "rows_per_second": 37_892.4}
    share = {"preset": "tuned", "rows": 200_000, ".csv of prediction": {"mean": 0.82, "std": 0.02}}
    summary = {
        **measured,
        "scored": [{**way, "peak_gigabytes": 1.612, "gigabytes_before": 1.248}],
        "shares": [share],
        "rounds": 5,
        "threads": 1,
    }
    text = page_of(scoring=summary)
    assert "| none | 5,000,000 | 37,892 | 1.61 | 1.25 |" in text
    assert "| form | csv of prediction |" in text
    assert "| `tuned` | 0.82 ± 0.02 |" in text
