from experiments.speed.ceilings import ceilings


def test_ceilings_are_rates():
    found = ceilings(repeats=1, side=64, numbers=1 << 16)
    assert set(found) == {"flops", "bytes"} and min(found.values()) > 1e6
