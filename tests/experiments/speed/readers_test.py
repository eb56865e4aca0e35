import collections

from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.generated_logs.generator import generate
from experiments.speed import readers
from experiments.speed.readers import measure


def test_values_are_counted_right(tmp_path):
    path = tmp_path / "train.txt"
    generate(path, "criteo", 1_000)
    values = collections.defaultdict(set)
    for line in path.read_text().splitlines():
        for number, value in enumerate(line.split("\t")[14:], start=1):
            values[f"C{number}"].add(value)
    expected = {name: len(seen) for name, seen in values.items()}
    assert measure("count", "pyarrow", str(path))["result"] == expected
    assert measure("parse", "pyarrow", str(path))["result"] == 1_000


def test_a_rate_is_that_of_the_median_round(study_flags, monkeypatch):
    seconds = {task: iter([4.0, 1.0, 2.0]) for task in readers.TASKS}

    def run_alone(function, task, reader, path):
        return {"seconds": next(seconds[task, reader]), "gigabytes": 1.5, "result": 7}

    monkeypatch.setattr(readers, "run_alone", run_alone)
    monkeypatch.setattr(readers, "generate", lambda *_, **__: None)
    monkeypatch.setattr(readers, "record", lambda *_, **about: about)  # not all are installed
    with flagsaver.flagsaver(reader_rows=100, rounds=3):
        readers.main(None)
    found = read_result("speed/readers.json")["figures"]
    assert [(row["task"], row["reader"]) for row in found] == list(readers.TASKS)
    assert {row["rows_per_second"] for row in found} == {50}
