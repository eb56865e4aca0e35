import pytest

from experiments.paper import figure_3, figure_4, sensitivity
from interhat_tf.utils.files import read_json, write_json


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


def test_other_values_stay_if_they_were_trained_alike(study_flags, fake_runs, fake_data):
    path = study_flags / "results/figure_3/frappe/summary.json"

    def heads():
        return [point["num_heads"] for point in read_json(path)["points"]]

    sensitivity.vary("figure_3", "num_heads", [1, 12])
    first = read_json(path)["points"][0]
    sensitivity.vary("figure_3", "num_heads", [4, 3])
    assert heads() == [1, 3, 4, 12] and read_json(path)["points"][0] == first
    # What differs in another way than by the number of heads is no point of the same figure.
    summary = read_json(path)
    for point, (name, value) in zip(
        summary["points"],
        (("seeds", [7]), ("training", {"seed": 1, "epochs": 2}), ("arguments", {"order": 4})),
        strict=False,
    ):
        point[name] = value
    summary["points"][3]["arguments"]["num_heads"] = 12
    write_json(path, summary)
    sensitivity.vary("figure_3", "num_heads", [2])
    assert heads() == [2, 12]
    write_json(path, {**read_json(path), "data": {"set": "another"}})
    sensitivity.vary("figure_3", "num_heads", [5])
    assert heads() == [5]


def test_the_values_are_the_papers():
    assert figure_3.HEADS.default == list(range(1, 13))
    assert figure_4.ORDERS.default == [1, 2, 3, 4]
