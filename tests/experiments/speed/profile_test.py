import pytest

from experiments.speed import profile
from experiments.speed.paper_sizes import SIZES


@pytest.mark.slow
def test_profile_has_the_operations_of_a_step(monkeypatch):
    monkeypatch.setattr(profile, "BATCH_SIZE", 32)
    monkeypatch.setitem(SIZES, "criteo", SIZES["avazu"])
    found = profile.profile("interhat_paper")
    operations = {row["operation"]: row for row in found["operations"]}
    assert found["ms"] > 0
    assert any("MatMul" in name for name in operations)
    assert operations["ResourceGather"]["times"] == 1
    times = [row["ms"] for row in found["operations"]]
    assert times == sorted(times, reverse=True) and sum(times) < 20 * found["ms"]
