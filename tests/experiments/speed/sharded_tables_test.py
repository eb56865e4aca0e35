import types

import pytest
from absl.testing import flagsaver

from experiments.common.results import read_result
from experiments.speed import sharded_tables


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_two_devices_hold_half_of_the_tables_each(study_flags):
    with flagsaver.flagsaver(features=20_001, steps=1, rounds=1):
        sharded_tables.main(None)
    summary = read_result("speed/sharded_tables.json")
    one, two = summary["rows"]
    assert (one["kind"], two["kind"]) == ("one_device", "sharded")
    # 12 numbers of 4 bytes a row; a row more, so that two devices divide them.
    assert one["table_bytes"] == [20_002 * 12 * 4]
    assert two["table_bytes"] == [20_002 * 12 * 4 / 2] * 2
    # Both moments of a table's share, and the other weights' moments on each device.
    whole, (share, other_share) = one["optimizer_bytes"][0], two["optimizer_bytes"]
    assert share == other_share == whole - 2 * two["table_bytes"][0]
    for row in summary["rows"]:
        assert row["seconds_per_step"]["mean"] > 0
        assert len(row["losses"]) == 2
        assert row["loss"] == row["losses"][-1]
    assert summary["largest_difference_of_loss"] < 1e-5


def test_seconds_are_those_of_a_step_and_the_first_round_compiles(monkeypatch):
    clock = iter([0.0, 90.0, 100.0, 110.0, 120.0, 130.0])
    now = types.SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr(sharded_tables, "time", now)
    monkeypatch.setattr(sharded_tables, "BATCH_SIZE", 8)
    monkeypatch.setattr(sharded_tables, "bytes_held", lambda variables: [0])
    found = sharded_tables.train(devices=1, features=15_000, steps=5, rounds=2)
    assert found["seconds_per_step"] == {"mean": 2.0, "std": 0.0} and len(found["losses"]) == 3
