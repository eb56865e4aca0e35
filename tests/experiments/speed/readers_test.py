import collections

from experiments.generated_logs.generator import generate
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
