"""Tests of the page's parts on speed, on made-up summaries."""

from experiments.report import speed_page
from experiments.report.figures import scaling_figure
from experiments.report.pages import as_bytes, html_page, markdown

RUN = {"date": "2026-01-01", "device": "a machine", "versions": {"machine": "a machine"}}


def text_of(sections):
    assert "<table" in html_page("T", sections)
    return markdown("T", sections)


def step(name, seconds, **more):
    counted = {"flops": 2.048e9, "bytes": 2.048e6, "map_bytes": 1.024e6}
    shares = {"share_of_flops": 0.25, "share_of_bandwidth": 1.2}
    rates = {"seconds_per_batch": seconds, "rows_per_second": 2048 / seconds}
    return {"part": "step", "name": name, **rates, **counted, **shares, **more}


def test_the_fastest_model_stands_first():
    parts = [step("interhat", 2.0), step("fm", 1.0)]
    parts.append({"part": "explanation", "name": "interhat", "rows_per_second": 7_000.0})
    parts.append({"part": "optimizer", "name": "LazyAdam", "seconds_per_batch": 0.0015})
    read = {"rows_per_second": 3e6, "model": "interhat", "share_of_the_step": 0.012}
    summary = {**RUN, "size": "criteo", "batch_size": 2048, "repeats": 5, "parts": parts}
    summary |= {"compiled": True, "precision": "float32", "input": read}
    summary["ceilings"] = {"flops": 2e11, "bytes": 3e10}
    text = text_of(speed_page.benchmark([summary]))
    fm = "| FM | 2,048 | 1.00 | 1 | 50% | 25% | 120% | – | – |"
    ours = "| InterHAt, released | 1,024 | 1.00 | 1 | 50% | 25% | 120% | – | 7,000 |"
    assert text.index(fm) < text.index(ours)
    assert "compiled by XLA" in text and "200 GFLOP/s, 30.0 GB/s" in text
    assert "LazyAdam 1.5 ms" in text and "+1.2%" in text


def test_operations_of_a_step():
    rows = [{"operation": "MatMul", "times": 1234, "ms": 25.0}]
    models = {"interhat_paper": {"ms": 100.0, "operations": rows}}
    text = text_of(speed_page.profile({**RUN, "batch_size": 2048, "models": models}))
    assert "| InterHAt, paper, d_K = d / h | MatMul | 1,234 | 25.0 | 25% |" in text


def test_what_a_step_grows_with():
    rows = [
        {
            "value": k,
            "rows_per_second": 1000.0 / k,
            "seconds_per_step": {"mean": 2.0 * k, "std": 0.1},
        }
        for k in (1, 2)
    ]
    line = {"seconds_each": 0.0123, "seconds_at_0": 0.5, "r2": 0.998}
    axes = {"order": {m: {"rows": rows, "line": line} for m in ("interhat", "interhat_s")}}
    axes["fields"] = {"interhat": {"rows": rows}}
    text = text_of(speed_page.scaling({**RUN, "rounds": 5, "axes": axes}))
    assert "InterHAt-S: 12.3 ms for each order beside 500 ms" in text and "99.8%" in text
    assert "| fields | InterHAt, released | 2 | 500 | 4,000.0 ± 100.0 |" in text
    pictures = [as_bytes(scaling_figure(axes, speed_page.title), "svg") for _ in range(2)]
    assert pictures[0] == pictures[1]


def test_devices():
    run = {"losses": [0.5], "validation": [0.9], "epoch_seconds": [2.0, 4.0]}
    killed = {"epoch": 2, "seconds_until_the_other_ended": 4.6, "equal": True}
    workers = {**RUN, "batch_size": 2048, "data": {"set": "frappe", "rows": 1000}}
    workers |= {"runs": {"one": run, "two": run}, "killed": killed}
    workers["largest_relative_loss_difference"] = 1.5e-14
    row = {"devices": 2, "table_bytes": [2**20] * 2, "optimizer_bytes": [2**21] * 2}
    row |= {"seconds_per_step": {"mean": 0.5, "std": 0.1}, "loss": 0.25}
    sharded = {**RUN, "features": 1000, "rows": [row], "largest_difference_of_loss": 1e-8}
    sharded["versions"] = {"jax": "1", "machine": "a machine"}
    text = text_of(speed_page.devices(workers, sharded))
    assert "| 1 | 0.50000000 | 0.50000000 | 0.90000000 | 0.90000000 |" in text
    assert "1.5e-14" in text and "3.0 s and 3.0 s" in text and "the very weights" in text
    assert "| 2 | 1.0 | 2.0 | 500 ± 100 | 0.2500000 |" in text
    assert "other weights" in text_of(
        speed_page.devices({**workers, "killed": {**killed, "equal": False}}, None)
    )


def test_nothing_measured_is_no_section():
    assert speed_page.benchmark([]) == speed_page.profile(None) == []
    assert speed_page.scaling(None) == speed_page.devices(None, None) == []
