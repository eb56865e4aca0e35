"""Tests of the page's parts on the other programs on speed, on made-up summaries."""

ONE = {"mean": 1.0, "std": 0.0}


def test_operations_of_a_step(measured, page_of):
    rows = [{"operation": "MatMul", "times": 1234, "ms": 25.0}]
    models = {"interhat_paper": {"ms": 100.0, "operations": rows}}
    text = page_of(profile={**measured, "batch_size": 2048, "models": models})
    assert "| InterHAt, paper, d_K = d / h | MatMul | 1,234 | 25.0 | 25% |" in text


def test_latency(measured, page_of):
    row = {"preset": "tuned", "export": "ONNX", "records": 10_000}
    row |= {"p50": 1.5, "p99": 2.5, "first": 2.0}
    summary = {**measured, "size": "criteo", "rounds": 30, "calls": {"10000": 2}, "rows": [row]}
    text = page_of(latency=summary)
    assert "| tuned | ONNX | 10,000 | 1,500.00 | 2,500.00 | 2,000.00 |" in text
    assert "in 30 rounds: 2 calls of 10,000 records" in text


def test_forms_of_an_onnx_file(measured, page_of):
    row = {"form": "of 8 bits", "threads": 2, "records": 2048, "p50": 0.125, "times_faster": 1.234}
    row |= {"largest_error": 0.0041, "megabytes": 7.25}
    text = page_of(onnx_forms={**measured, "size": "criteo", "rows": [row]})
    assert "| of 8 bits | 2 | 2,048 | 125.00 | 1.23 | 4e-03 | 7.2 |" in text


def test_data(measured, page_of):
    figure = {
        "what": "bucketed: shuffled batches",
        "rows_per_second": 1000.0,
        "seconds": 2.25,
        "times": 6,
    }
    row = {"config": "bucketed", "rows": 3000, "rows_per_second": 1.5, "distinct_features": 7000}
    row |= {"peak_gigabytes": 3.5, "gigabytes_of_imports": 0.5}
    row |= {"log_gigabytes": 1.5, "prepared_gigabytes": 2.5}
    preparation = {**measured, "prepared": [row], "read": [figure]}
    read = {"task": "parse", "reader": "polars", "rows_per_second": 9e5, "seconds": [1.0] * 3}
    readers = {**measured, "rows": 1000, "figures": [{**read, "gigabytes": 1.25}]}
    text = page_of(preparation=preparation, readers=readers)
    assert "| `bucketed` | 3,000 | 2 | 3.50 | 1.50 | 2.50 | 7,000 |" in text
    assert "| parse | polars | 900,000 | 1.25 |" in text and "Medians of 3" in text
    assert "| bucketed: shuffled batches | 1,000 | 2.25 |" in text and "median of 6" in text


def test_devices(measured, page_of):
    run = {"losses": [0.5], "validation": [0.9], "epoch_seconds": [2.0, 4.0]}
    other = {"losses": [0.25], "validation": [0.8], "epoch_seconds": [5.0]}
    killed = {"epoch": 2, "seconds_until_the_other_ended": 4.6, "equal": True}
    workers = {**measured, "batch_size": 2048, "data": {"set": "frappe", "rows": 1000}}
    workers |= {"runs": {"one": run, "two": other}, "killed": killed}
    workers["largest_relative_loss_difference"] = 1.5e-14
    row = {"devices": 2, "table_bytes": [2**20] * 2, "optimizer_bytes": [2**21] * 2}
    row |= {"seconds_per_step": {"mean": 0.5, "std": 0.1}, "loss": 0.25}
    sharded = {**measured, "features": 1000, "rows": [row], "largest_difference_of_loss": 1e-8}
    text = page_of(two_workers=workers, sharded_tables=sharded)
    assert "| 1 | 0.50000000 | 0.25000000 | 0.90000000 | 0.80000000 |" in text
    assert "1.5e-14" in text and "3.0 s and 5.0 s" in text and "the same weights as" in text
    assert "| 2 | 1.0 | 2.0 | 500 ± 100 | 0.2500000 |" in text
    workers["killed"] = {**killed, "equal": False}
    assert "other weights than" in page_of(two_workers=workers)


def test_explanations(measured, page_of):
    def row(model, what, rate, method="", **more):
        return {"model": model, "what": what, "rows_per_second": rate, "method": method, **more}

    compared = {
        "against": {"mean": 500.0, "std": 2.0},
        "of_prediction": {"mean": 0.8, "std": 0.01},
    }
    rows = [
        row("interhat, tuned", "training", 9000.0),
        row("interhat, tuned", "prediction", 50000.0),
        row("interhat, tuned", "explanation", 40000.0, "`explain`", **compared),
        row("lightgbm", "prediction", 1800.0),
        row("lightgbm", "explanation", 80.0, "TreeSHAP"),
        row("lightgbm", "explanation", 70.0, "shap's"),
        row("dnn", "training", 8000.0),
        row("dnn", "prediction", 7000.0),
    ]
    of_trees = {"lightgbm": {"rows_per_second": 1e6}}
    summary = {**measured, "data": {"set": "frappe"}, "threads": 2, "records": 8192, "rounds": 5}
    text = page_of(explanations={**summary, "rows": rows, "trees": of_trees})
    assert (
        "| interhat, tuned | 9,000 | 50,000 | `explain` | 40,000 | 0.80 ± 0.01 | 500.0 ± 2.0 |"
        in text
    )
    assert "| lightgbm | 1,000,000 | 1,800 | shap's | 70 | – | – |" in text
    assert "| dnn | 8,000 | 7,000 | – | – | – | – |" in text


def test_days(measured, page_of):
    def method(auc, seconds):
        figures = {"auc": auc, "preparing_cpu_seconds": 1.0, "training_cpu_seconds": seconds}
        return {name: {"mean": mean, "std": 0.001} for name, mean in figures.items()}

    apart = {"mean": 0.01, "low": 0.005, "high": 0.015}
    line = {"day": 2, "continued": method(0.68, 2.0), "scratch": method(0.67, 5.5)}
    line |= {"left": method(0.6, 1.0), "truth": method(0.7, 0.0)}
    line["difference"] = {"auc": apart, "logloss": {**apart, "mean": -0.02, "low": -0.03}}
    summary = {**measured, "seeds": [1, 2, 3], "rows_a_day": 60_000, "days": [line]}
    text = page_of(continued_training=summary)
    assert "Days of 60,000 rows" in text and "in 3 seeds" in text
    assert "| 2 | 0.6800 ± 0.0010 | 0.6700 ± 0.0010 |" in text
    assert "| +0.0100 [+0.0050, +0.0150] | -0.0200 [-0.0300, +0.0150] |" in text
    assert "| 0.6000 ± 0.0010 | 0.7000 ± 0.0010 | 3.0 | 6.5 |" in text


def test_disturbed_commands(measured, page_of):
    trainings = {**measured, "runs": 20, "kills": 26, "half_made": 0, "equal": 20}
    text = page_of(killed_trainings=trainings)
    assert (
        "20 trainings of a small InterHAt with dropout and averaged weights were killed 26 times"
        in text
    )
    assert "0 left a file half written; resumed, 20 of 20 ended" in text
    preparations = {**measured, "kills": 20, "half_made": 1, "equal": 19}
    assert "1 left a set half made; started again, 19 of 20" in page_of(
        killed_preparations=preparations
    )
    disks = {**measured, "disks": 20, "said": 18, "half_made": 0, "equal": 20}
    text = page_of(full_disks=disks)
    assert "18 ended with a line that names the file; 0 left something half made" in text
    assert "--mount python -m experiments.robustness.full_disks`" in text
    pairs = {**measured, "pairs": 20, "refused": 15, "wrong": 0}
    assert "In 15 of them one was refused, with a line that says why; 0 times" in page_of(
        pairs=pairs
    )


def test_histories(measured, page_of):
    rows = [
        {"model": "din", "rows_per_second": {"mean": 6657.2, "std": 90}, "times": ONE},
        {"model": "FuxiCTR's DIN", "rows_per_second": {"mean": 2458, "std": 9}, "times": ONE},
    ]
    about = {"batch": 2048, "length": 100, "embedding_dim": 16, "rounds": 5}
    text = page_of(histories={**measured, **about, "rows": rows})
    assert "steps of 2,048 records" in text
    assert "| DIN | 6,657 ± 90 | 1.00 ± 0.00 |" in text
    assert "| FuxiCTR's DIN | 2,458 ± 9 |" in text


def test_each_preset_has_its_own_ratios_of_aligned_steps(measured, page_of):
    def case(ratio):
        return {"ratio": ratio, "low": ratio - 0.1, "high": ratio + 0.2}

    ratios = {"released": 1.5, "tuned": 1.25}
    cases = {name: {"plain": case(1), "effects": case(ratio)} for name, ratio in ratios.items()}
    text = page_of(alignment={**measured, "rounds": 12, "batch_size": 1024, "cases": cases})
    assert "| aligned | released | tuned |" in text and "| plain |" not in text
    assert "| effects | 1.50 [1.40, 1.70] | 1.25 [1.15, 1.45] |" in text


def test_value_lists(measured, page_of):
    def rates(training, evaluating):
        found = {"training": training, "evaluating": evaluating}
        return {way: {"mean": mean, "std": 0.0} for way, mean in found.items()}

    column = {"column": "tags", "longest": 6, "preparing": 0.75, **rates(0.5, 0.25)}
    summary = {**measured, "rows": 1000, "rounds": 3, "batch": 2048, "columns": [column]}
    text = page_of(value_lists={**summary, "without": {"preparing": 7000.0, **rates(900, 800)}})
    assert "| tags | 6 | 0.75 | 0.50 ± 0.00 | 0.25 ± 0.00 |" in text
    assert "which are 7,000 in preparing, 900 ± 0 in shuffled batches" in text
