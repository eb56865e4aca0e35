"""Tests of `interhat score`."""

import pandas as pd
import pytest

import interhat
from interhat_tf import prepare_click_log
from interhat_tf.calibration import Calibration
from interhat_tf.models import FM
from tests.click_log_example import write_click_log
from tests.numpy_reference import randomise


@pytest.fixture
def score(tmp_path):
    """Runs the command with some flags, on a log whose label is not there."""
    write_click_log(tmp_path / "clicks.csv")
    data = prepare_click_log(tmp_path / "clicks.csv", name="clicks", data_dir=tmp_path / "sets")
    model = randomise(FM(data.schema, embedding_dim=2))
    model.calibration = Calibration("platt", 90, slope=0.5)
    (tmp_path / "run").mkdir()
    model.save(tmp_path / "run/model.keras")
    pd.read_csv(tmp_path / "clicks.csv")[:50].drop(columns="click").to_csv(
        tmp_path / "ads.csv", index=False
    )

    def run(**given):
        flags = {"dataset": "clicks", "data_dir": tmp_path / "sets", "run": tmp_path / "run"}
        flags |= {"log": tmp_path / "ads.csv", "output": tmp_path / "scored.csv", **given}
        interhat.main(["score", *(f"--{name}={value}" for name, value in flags.items())])

    return run


def test_a_log_is_scored(score, tmp_path, capsys):
    score(reasons=1, compared_with=2)
    found = pd.read_csv(tmp_path / "scored.csv")
    columns = ["user", "app", "price", "probability", "unknown_share", "reason_1", "effect_1"]
    assert list(found.columns) == columns and len(found) == 50
    output = capsys.readouterr().out
    assert f"50 rows, mean probability {found.probability.mean():.4f}, calibrated by" in output
    assert "unknown values: " in output and "exact, against 2 training records" in output


def test_what_is_refused(score, tmp_path, capsys):
    with pytest.raises(SystemExit):
        score(output=tmp_path / "scored.txt")
    assert "the output is .parquet or .csv" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        score(compared_with=0)
    assert "call fit_effects, or give a background" in capsys.readouterr().err
