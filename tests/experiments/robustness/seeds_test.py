"""What the program says of a head, on heads whose units are known to be dead or alive."""

import keras
import numpy as np
import pytest

from experiments.common import studies
from experiments.robustness import seeds
from interhat_tf import Field, InterHAt, Schema

SCHEMA = Schema([Field("user", "categorical", 40), Field("app", "categorical", 30)])
RECORDS = {"categorical": np.random.default_rng(0).integers([40, 30], size=(500, 2))}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run whose model's u_f is positive: a unit lives if its weights are."""

    class Data:
        def evaluation_batches(self, split):
            assert split == "validation"
            halves = np.split(RECORDS["categorical"], 2)
            return [({"categorical": half}, np.zeros(len(half))) for half in halves]

    monkeypatch.setattr(studies, "open_data", Data)

    def make(*signs):
        model = InterHAt(SCHEMA, embedding_dim=4, order=1, self_attention=False, mlp_units=(3,))
        model.embedding.table.assign(np.abs(model.embedding.table.numpy()) + 0.01)
        _, hidden, *_ = model.mlp  # dropout comes before it
        hidden.kernel.assign(np.ones((4, 1)) * np.array([signs], "float32"))
        model.save(tmp_path / "model.keras")
        return {"output_dir": str(tmp_path)}

    return make


def test_dead_units_are_counted(run):
    found = {"units": 3, "dead_units": 1, "records_without_a_unit": 0.0}
    assert seeds.head_of(run(-1, 1, 1)) == found


def test_where_no_unit_is_active(run):
    assert seeds.head_of(run(-1, -1, -1))["records_without_a_unit"] == 1.0


def test_watching_leaves_the_model_as_it_was():
    model = InterHAt(SCHEMA, embedding_dim=4)
    rectified = next(layer for layer in model.mlp if isinstance(layer, keras.layers.Activation))
    before, activation = model(RECORDS).numpy(), rectified.activation
    active = seeds.active_units(model, RECORDS)
    assert active.shape == (500, 2)
    assert rectified.activation is activation
    np.testing.assert_array_equal(model(RECORDS).numpy(), before)
