"""Tests of the site's page on a log of a terabyte."""

import pathlib
import shutil

import pytest
from absl.testing import flagsaver

from experiments.common.results import PUBLISHED
from experiments.report import scale_page
from interhat_tf.utils.files import read_json, write_json

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture
def results(study_flags):
    """A folder with the published results that the page is computed from."""
    folder = study_flags / "results/speed"
    folder.mkdir(parents=True)
    for name in ("preparation", "table_size", "figure_2", "latency", "server"):
        shutil.copy(ROOT / PUBLISHED / f"speed/{name}.json", folder)
    return folder


def test_the_site_has_the_figures_of_the_results(study_flags):
    with flagsaver.flagsaver(results_dir=str(ROOT / PUBLISHED)):
        assert scale_page.page() == (ROOT / "docs/scale.md").read_text()


def test_figures_follow_from_the_measurements(results):
    summary = read_json(results / "preparation.json")
    summary["prepared"] = [summary["prepared"][-1]]
    summary["prepared"][0] |= {"rows_per_second": 2 * scale_page.LOG_ROWS / 36_000}
    summary["versions"]["machine"] = "2 cores, a machine"
    write_json(results / "preparation.json", summary)
    latency = read_json(results / "latency.json")
    latency["rows"] = [
        {"preset": "tuned", "export": "ONNX", "records": 1, "p50": 0.0006, "p99": 1.0}
    ]
    write_json(results / "latency.json", latency)
    with flagsaver.flagsaver(core_hour_price=0.25):
        text = scale_page.page()
    assert "| 1 | no | 10.00 | 10.0 | 2.50 |" in text
    assert "| 16 |" not in text  # how much slower Beam is, is not known
    # 60% of 1 / 0.6 ms, on two cores each.
    assert "| `tuned`, ONNX | 1 | 0.60 | 1,000 | 2 | 100 | 50.00 |" in text


def test_rows_are_sent_whatever_the_size_of_the_table():
    released = {"model": "interhat", "parameters": 605_700 * 12 + 1000}
    figure_2 = {"groups": [{"of": {"size": "criteo"}, "rows": [released]}]}
    rows = scale_page.communication(figure_2).rows
    megabytes = (0.75 * 2048 * 36 * 52 + 2 * 0.75 * 4000) / 1e6
    assert {row[3] for row in rows} == {f"{megabytes:.1f}"}
    assert rows[0][5] == f"{1.5 * 605_700 * 48 / 1e6:.0f}"


def test_what_several_workers_did(results):
    spread = {"mean": 1000.0, "std": 10.0}
    about = read_json(results / "preparation.json")
    prepared = [
        {"workers": n, "cores": max(1, n), "rows_per_second": 100.0 * (n or 1.5)} for n in (0, 1, 4)
    ]
    for row in prepared:
        row |= {"rows": 5000, "rows_per_processor_second": 90.0}
    about["prepared"] = [about["prepared"][-1]]
    about["prepared"][0] |= {"rows_per_second": 2 * scale_page.LOG_ROWS / 36_000}
    write_json(results / "preparation.json", about)
    one = {"features": 100, "optimizer": "adam", "workers": 1, "cores": 1, "bytes_a_step": 0}
    two = {**one, "workers": 2, "cores": 2, "bytes_a_step": 3.8e6}
    trained = [{**one, "rows_per_second": spread}]
    trained += [{**two, "rows_per_second": {"mean": 1800.0, "std": 20.0}}]
    write_json(results / "workers.json", {**about, "prepared": prepared, "trained": trained})
    sizes = {"table_gigabytes": 20.0, "file_gigabytes": 60.0, "room_gigabytes": 2.0}
    write_json(results / "mapped_table.json", {**about, **sizes, "rows_per_second": spread})
    text = scale_page.page()
    assert (
        "| 4 | 4 | 400 | 4.00 | 90 |" in text and "| without Beam | 1 | 150 | 1.50 | 90 |" in text
    )
    assert "| 1 | no | 10.00 | 10.0 | 0.50 |" in text
    assert "| 16 | yes | 0.94 | 15.0 | 0.75 |" in text
    assert "took 1.50 times as long" in text and "another log of 5,000 rows" in text
    assert "| 100 | `adam` | 2 | 2 | 1,800 ± 20 | 1.80 | 3.80 |" in text
    assert "A table of 20.0 GB, with its moments 60.0 GB" in text and "1,000 ± 10 rows/s" in text


def test_a_page_without_measurements(study_flags):
    text = scale_page.page()
    assert "Not measured: `python -m experiments.speed.preparation`" in text
    assert "Not measured: `python -m experiments.speed.latency`" in text
