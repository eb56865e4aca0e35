import pytest

from experiments.paper import sensitivity
from interhat_tf.utils.files import read_json


@pytest.mark.parametrize(
    ("experiment", "flag", "values", "own"),
    [("figure_3", "num_heads", [1, 4, 12], 4), ("figure_4", "order", [1, 2, 3, 4], 3)],
)
def test_one_hyperparameter_varies(
    study_flags, fake_runs, fake_data, experiment, flag, values, own
):
    sensitivity.vary(experiment, flag, values)
    summary = read_json(study_flags / f"results/{experiment}/frappe/summary.json")
    assert [point[flag] for point in summary["points"]] == values
    assert all(point["seeds"] == [1, 2, 3] for point in summary["points"])
    assert len(fake_runs.asked) == 3 * len(values)
    # The preset's own value is Table 3's run: it has no flag, and the same folder.
    assert summary["own"] == own
    assert [run for run in fake_runs.asked if flag not in run] == [
        {
            "dataset": "frappe/nfm",
            "data_dir": f"{study_flags}/prepared",
            "model": "interhat",
            "preset": "released",
            "seed": seed,
            "output_dir": run["output_dir"],
        }
        for seed, run in zip((1, 2, 3), fake_runs.asked[3 * values.index(own) :], strict=False)
    ]
    assert {run[flag] for run in fake_runs.asked if flag in run} == set(values) - {own}
