"""Tests of the page's parts on grids, on made-up summaries."""

from experiments.report import speed_page


def test_the_fastest_model_stands_first(grid_of, page_of):
    counted = {"flops": 2.048e9, "bytes": 2.048e6, "map_bytes": 1.024e6}
    rows = [
        {"model": "interhat", "seconds": 2.0, **counted},
        {"model": "fm", "seconds": 1.0, **counted},
        {"model": "interhat", "work": "explanation", "seconds": 0.5},
        {"model": "interhat", "work": "update", "optimizer": "lazy_adam", "seconds": 0.0015},
    ]
    read = {"rows_per_second": 3e6, "model": "interhat", "share_of_the_step": 0.012}
    of = {"size": "criteo", "batch": 2048, "precision": "float32", "jit_compile": True}
    limits = {"flops": 8.192e9, "bytes": 2.048e6}
    summary = grid_of(of, rows, ceilings=limits, input=read)
    text = page_of(models=summary)
    fm = "| FM | 2,048 | 1.00 | 1 | 50% | 25% | 100% | – | – |"
    ours = "| InterHAt, released | 1,024 | 1.00 | 1 | 50% | 12% | 50% | – | 4,096 |"
    assert text.index(fm) < text.index(ours)
    assert "compiled by XLA" in text and "8 GFLOP/s, 0.0 GB/s" in text
    assert "LazyAdam 1.5 ms" in text and "+1.2%" in text
    assert "--grid=models --sizes=criteo --xla`" in text


def test_pytorch_stands_beside_ours(grid_of, page_of):
    counted = {"flops": 2.048e9, "bytes": 2.048e6, "map_bytes": 0.0}
    peer = {"code": "pytorch", "versions": {"torch": "2.1", "fuxictr": "3"}}
    rows = [
        {"model": "interhat", "seconds": 0.5, "of_rounds": [0.4, 0.6], **counted},
        {"model": "interhat", "work": "prediction", "seconds": 0.25},
        {"model": "interhat", "seconds": 1.0, "of_rounds": [0.8, 1.8], **peer},
        {"model": "fm", "seconds": 2.0, "of_rounds": [2.0, 2.0], **counted},
    ]
    read = {"rows_per_second": 3e6, "model": "interhat", "share_of_the_step": 0.012}
    of = {"size": "criteo", "batch": 2048, "precision": "float32", "jit_compile": False}
    limits = {"flops": 8.192e9, "bytes": 2.048e6}
    text = page_of(models=grid_of(of, rows, ceilings=limits, input=read))
    assert "| FuxiCTR's InterHAt, PyTorch | 2,048 | – | – | – | – | – | – | – |" in text
    times = "InterHAt, released: 2.5 ± 0.7."
    assert f"- FuxiCTR's InterHAt, PyTorch (torch 2.1, fuxictr 3) – {times}" in text
    assert "--sizes=criteo --pytorch_python=PYTHON --fuxictr_zoo=FOLDER`" in text


def test_microbatches(grid_of, page_of):
    against = {"whole": {"rate": {"mean": 1.7, "std": 0.1}}}
    rows = [
        {"microbatch": 16, "seconds": 0.5, "deviation": 0.05, "against": against},
        {"code": "tensorflow", "seconds": 1.0, "against": {}},
        {"code": "keras", "jit_compile": True, "seconds": 2.0, "against": {}},
    ]
    text = page_of(microbatch=grid_of({"size": "criteo"}, rows))
    form = "| Criteo: InterHAt, released |"
    assert f"{form} microbatches of 16 | 4,096 ± 410 | 1.70 ± 0.10 | – |" in text
    assert f"{form} whole, without CPU kernels | 2,048" in text
    assert f"{form} plain Keras, XLA | 1,024" in text


def test_table_size(grid_of):
    row = {"model": "fm", "optimizer": "lazy_adam", "features": 60_570_000}
    row |= {"seconds": 0.0275, "deviation": 0.001}
    row["against"] = {"smallest": {"time": {"mean": 1.07, "std": 0.02}}}
    found = speed_page.table_size(grid_of({"model": "fm"}, [row]))
    cells = ["FM", "LazyAdam", "no", "60,570,000", "27.5 ± 1.0", "74,473", "1.07 ± 0.02"]
    assert found["times"].rows == [cells]
    found = speed_page.table_size(grid_of({"model": "fm"}, [{**row, "ema_momentum": 0.999}]))
    assert found["times"].rows[0][2] == "yes"
