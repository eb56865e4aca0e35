import pytest
from absl.testing import flagsaver

from experiments.speed import benchmark, ceilings, profile
from experiments.speed.paper_sizes import SIZES
from interhat_tf import kernels
from interhat_tf.utils.files import read_json

MODELS = ["interhat", "interhat_paper", "deepfm"]


def test_ceilings_are_rates():
    found = ceilings.ceilings(repeats=1, side=64, numbers=1 << 16)
    assert set(found) == {"flops", "bytes"} and min(found.values()) > 1e6


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, {"compiled": True, "precision": "mixed_bfloat16"}])
def test_every_part_is_timed_and_counted(study_flags, monkeypatch, how):
    monkeypatch.setattr(benchmark, "ceilings", lambda: {"flops": 1e12, "bytes": 1e11})
    with flagsaver.flagsaver(
        sizes=["frappe"],
        models=MODELS,
        rows_a_step=64,
        repeats=2,
        turn_seconds=0.0,
        pipeline_rows=2_000,
        benchmark_data=str(study_flags / "prepared"),
        **how,
    ):
        benchmark.main(None)
    (path,) = (study_flags / "results/benchmark").rglob("*.json")
    kind = "xla_mixed_bfloat16" if how else "float32"
    assert path.name == f"frappe_64_{kind}.json"
    summary = read_json(path)
    parts = {(row["part"], row["name"]): row for row in summary["parts"]}
    assert set(parts) == {
        *((part, name) for part in ("step", "prediction") for name in MODELS),
        *(("explanation", name) for name in MODELS[:2]),
        *(("optimizer", name) for name in benchmark.OPTIMIZERS),
    }
    for row in parts.values():
        assert row["seconds_min"] <= row["seconds_per_batch"] <= row["seconds_max"]
    step = parts["step", "interhat"]
    assert step["share_of_flops"] == pytest.approx(step["flops"] / step["seconds_per_batch"] / 1e12)
    # XLA's step and TensorFlow's operations write the maps of the self-attention, ours do not.
    assert (step["map_bytes"] > 0) == (bool(how) or not kernels.LIBRARY.exists())
    assert step["map_bytes"] < step["bytes"]
    assert parts["step", "deepfm"]["map_bytes"] == 0
    assert step["flops"] > parts["step", "interhat_paper"]["flops"] > 0
    assert summary["input"]["rows_per_second"] > 0
    assert summary["input"]["share_of_the_step"] < 1


@pytest.mark.slow
def test_profile_has_the_operations_of_a_step(tmp_path, monkeypatch, study_flags):
    monkeypatch.setattr(profile, "BATCH_SIZE", 32)
    monkeypatch.setitem(SIZES, "criteo", SIZES["avazu"])
    found = profile.profile("interhat_paper")
    operations = {row["operation"]: row for row in found["operations"]}
    assert found["ms"] > 0
    assert any("MatMul" in name for name in operations)
    assert operations["ResourceGather"]["times"] == 1
    times = [row["ms"] for row in found["operations"]]
    assert times == sorted(times, reverse=True) and sum(times) < 20 * found["ms"]
