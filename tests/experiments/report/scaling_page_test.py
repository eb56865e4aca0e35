"""Tests of the page's part on what a step grows with, on made-up summaries."""

from experiments.report.blocks import as_bytes
from experiments.report.scaling_page import scaling_lines


def test_what_a_step_grows_with(grid_of, page_of):
    def order(model, k):
        return {"model": model, "changed": {"order": k}, "seconds": 0.5 + 0.0123 * k}

    rows = [order(model, k) for model in ("interhat", "interhat_s") for k in (1, 2, 4)]
    summary = grid_of({"axis": "order"}, rows)
    (heads,) = grid_of({"axis": "num_heads"}, [{"changed": {"num_heads": 3}, "seconds": 2.0}])[
        "groups"
    ]
    (fields,) = grid_of({"axis": "fields"}, [{"fields": 9, "seconds": 4.0}])["groups"]
    summary["groups"] += [heads, fields]
    text = page_of(scaling=summary)
    assert "InterHAt-S: 12.3 ms for each order beside 500 ms" in text and "100.0%" in text
    assert "| heads | InterHAt, released | 3 | 1,024 | 2,000.0 ± 100.0 |" in text
    assert "| fields | InterHAt, released | 9 | 512 | 4,000.0 ± 100.0 |" in text
    of_orders, of_heads, _ = scaling_lines(summary).axes
    assert of_orders.lines[0].get_ydata()[0] == 512.3 and of_orders.get_ylabel() == "ms a step"
    assert of_heads.lines[0].get_ydata()[0] == 1024 and of_heads.get_ylabel() == "rows/s"
    pictures = [as_bytes(scaling_lines(summary), "svg") for _ in range(2)]
    assert pictures[0] == pictures[1]
