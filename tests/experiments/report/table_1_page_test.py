from experiments.common.results import write_result
from experiments.report.table_1_page import agreement, counts_table, same_count, table_1

FOUND = {
    "categorical_fields": 21,
    "numerical_fields": 13,
    "records": 13_752_185,
    "distinct_features": 605_801,
    "splits": {
        "train": {"rows": 11_000_000, "positives": 2_000_000},
        "test": {"rows": 2_752_185, "positives": 1_438_046},
    },
}


def test_a_count_is_the_same_to_the_last_digit_that_is_printed():
    assert same_count("13.8M", 13_850_000) and same_count("13.8M", 13_752_185)
    assert not same_count("13.8M", 13_950_000) and not same_count("13.8M", 13_600_000)
    assert same_count("288K", 288_609) and not same_count("288K", 290_000)
    assert same_count("5,382", 5_382) and not same_count("5,382", 5_383)


def test_which_counts_agree():
    assert agreement("criteo", FOUND) == {"fields": False, "records": True, "features": False}


def test_the_papers_counts_stand_beside_ours():
    table = counts_table({"criteo": FOUND})
    assert table.header == ["", "Criteo, paper", "here"]
    assert table.rows == [
        ("fields (categorical + numerical)", "22 + 14", "21 + 13"),
        ("records", "13.8M", "13,752,185"),
        ("distinct features", "605.7K", "605,801"),
        ("train / validation / test", "8:1:1", "11,000,000 / 2,752,185"),
        ("click rate", "–", "0.2500"),
    ]


def test_it_has_the_data_sets_that_were_read_and_no_generated_log(study_flags):
    assert table_1() == []
    summary = {"data": {"statistics": FOUND}}
    of_lr = {**summary, "date": "2026-01-01", "versions": {}, "row": {"runs": []}}
    write_result("criteo_generated_200000/summary.json", summary)
    write_result("table_3/avazu_generated/lr.json", of_lr)
    assert table_1() == []
    write_result("table_3/frappe/lr.json", of_lr)
    write_result("criteo/summary.json", summary)
    (part,) = table_1()
    assert part["names"] == "Criteo, Frappe"
    assert part["counts"].header == ["", "Criteo, paper", "here", "Frappe, paper", "here"]
