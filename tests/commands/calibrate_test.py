"""Tests of `interhat calibrate`."""

import keras
import pytest

import interhat
from interhat_tf.models import LR
from tests.training.runs import run


@pytest.fixture
def flags(rule_data, tmp_path, monkeypatch):
    """The flags of the command, for a model that says three times what it should."""
    model = LR(rule_data.schema)
    run(rule_data, tmp_path / "run", model, max_epochs=3)
    model.set_weights([3 * weight for weight in model.get_weights()])
    model.save(tmp_path / "run/model.keras")
    monkeypatch.setattr("interhat_tf.commands.data_flags.prepared_dataset", lambda *_: rule_data)
    return ["--dataset=rules", f"--run={tmp_path / 'run'}"]


def test_the_runs_model_is_calibrated(flags, tmp_path, capsys):
    interhat.main(["calibrate", *flags])
    output = capsys.readouterr().out
    model = keras.models.load_model(tmp_path / "run/model.keras")
    assert str(model.calibration) in output.splitlines()[-1]
    assert (tmp_path / "run/reliability.png").exists()
    before, after = (float(line.split()[1].rstrip(",")) for line in output.splitlines()[5:7])
    assert abs(after - 1) < abs(before - 1)
    interhat.main(["calibrate", *flags, "--method=isotonic"])  # again, from the same logits
    assert output.splitlines()[1] == capsys.readouterr().out.splitlines()[1]
    assert keras.models.load_model(tmp_path / "run/model.keras").calibration.method == "isotonic"
    interhat.main(["calibrate", *flags, "--method=none"])
    assert capsys.readouterr().out.endswith("not calibrated\n")
    assert keras.models.load_model(tmp_path / "run/model.keras").calibration is None


def test_a_run_without_a_model(flags, tmp_path, capsys):
    with pytest.raises(SystemExit):
        interhat.main(["calibrate", flags[0], f"--run={tmp_path}"])
    assert "model.keras is missing: train a model first" in capsys.readouterr().err
