from experiments.common import table_3_files
from experiments.common.results import write_result
from experiments.common.table_3_files import (
    chosen_setting,
    file_name,
    read_table_3,
    read_tables_3,
)
from interhat_tf.utils.files import write_json


def write(name, dataset="frappe", **more):
    runs = [{"seed": 1, "test": {"auc": 0.9, "logloss": 0.2}}]
    record = {"data": dataset, "versions": {}, "date": "2026-01-01", "row": {"runs": runs}, **more}
    write_result(file_name(dataset, name), record)


def test_rows_are_read_in_the_order_of_their_titles(study_flags):
    for name in ("interhat", "released", "lr", "dnn"):
        write(name)
    found = read_table_3("frappe")
    assert list(found["models"]) == list(found["records"]) == ["lr", "dnn", "interhat", "released"]
    assert set(found["differences"]) == {"lr", "dnn", "released"}
    assert found["memorisation"] is None and found["best"] is None


def test_date_and_versions_are_the_latest(study_flags):
    write("lr", date="2026-01-03", versions={"keras": "3"})
    write("fm", date="2026-01-02", versions={"keras": "2"})
    found = read_table_3("frappe")
    assert (found["date"], found["versions"]) == ("2026-01-03", {"keras": "3"})


def test_a_row_that_is_searched_but_not_trained_is_left_out(study_flags):
    write_result(file_name("frappe", "lr"), {"trials": [], "date": "2026-01-01"})
    assert read_table_3("frappe") is None
    write("fm")
    assert list(read_table_3("frappe")["models"]) == ["fm"]


def test_a_baseline_alone_is_no_table(study_flags):
    write_result(file_name("frappe", "memorisation"), {"memorisation": {"auc": 1}, "date": "1"})
    assert read_table_3("frappe") is None
    write("fm")
    assert read_table_3("frappe")["memorisation"] == {"auc": 1}


def test_every_data_set_has_a_table(study_flags):
    assert read_tables_3() == []
    write("lr", "frappe")
    write("lr", "criteo_generated")
    assert [table["name"] for table in read_tables_3()] == ["criteo_generated", "frappe"]


def test_a_published_setting_serves_until_one_is_chosen_here(study_flags):
    assert chosen_setting("frappe", "fm") is None
    published = f"{table_3_files.PUBLISHED}/{file_name('frappe', 'fm')}"
    write_json(published, {"setting": {"embedding_dim": 8}})
    assert chosen_setting("frappe", "fm") == {"embedding_dim": 8}
    write("fm", setting={"embedding_dim": 16})
    assert chosen_setting("frappe", "fm") == {"embedding_dim": 16}
