import inspect
import math

import pytest

from experiments.common.published import (
    CONTENDERS,
    HISTORY_MODELS,
    PAIRS_ROW,
    TABLE_3,
    TARGET_ROW,
    TITLES,
)
from experiments.common.running import PROGRAMS, flag_arguments
from experiments.common.search import draw, size
from experiments.common.search_spaces import contenders, search_space
from experiments.common.table_3_files import REFERENCE
from experiments.trees.train import MODELS as TREES
from interhat_tf.commands.train import define_flags, settings
from interhat_tf.models import LR, MODELS
from interhat_tf.training.settings import TrainingSettings

FLAGS = set(define_flags())
TRAINING = set(inspect.signature(TrainingSettings).parameters)
DATASETS = ["frappe", "movielens_ctr", "criteo", "avazu"]
ROWS = [(dataset, name) for dataset in DATASETS for name in contenders(dataset)]


def test_every_model_has_a_title():
    assert set(TITLES) == set(MODELS)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_papers_models_are_compared(dataset):
    names = contenders(dataset)
    assert {*TABLE_3["frappe"], "released", "paper", REFERENCE} <= set(names) <= set(CONTENDERS)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [*ROWS, *(("movielens_ctr", name) for name in (*HISTORY_MODELS, TARGET_ROW))],
)
def test_a_space_has_flags_of_its_models_and_room_for_the_trials(dataset, name):
    space = search_space(dataset, name)
    for model in space.get("model", (name,)):
        arguments = set(inspect.signature({**MODELS, **TREES}[model]).parameters)
        if model in PROGRAMS:
            assert set(space) <= {*arguments, "auc_by"}
        else:
            assert set(space) - {"model", "preset"} - TRAINING <= FLAGS & arguments
    assert size(space) == 1 or len(draw(space, 12, seed=name)) == 12


@pytest.mark.parametrize("name", contenders("frappe"))
def test_the_command_line_takes_what_is_drawn(name):
    space = search_space("frappe", name)
    for setting in draw(space, min(12, size(space)), seed=name):
        run = {"dataset": "frappe/nfm", "output_dir": "run", "model": name, **setting}
        if run["model"] in PROGRAMS:
            continue
        values = define_flags()
        values(["train", *flag_arguments(run)])
        arguments, training = settings(values)
        for flag, value in setting.items():
            if flag not in ("model", "preset"):
                assert (arguments | training)[flag] == value


@pytest.mark.parametrize("dataset", DATASETS)
def test_searches_are_alike(dataset):
    """All searched rows but FM share the choices of the data set."""
    spaces = [search_space(dataset, name) for name in contenders(dataset) if name != "fm"]
    wide = [space for space in spaces if size(space) > 1 and "embedding_dim" in space]
    assert len({tuple(space["embedding_dim"]) for space in wide}) == 1
    assert len({tuple(space["batch_size"]) for space in wide}) == 1
    assert all(len(space["embedding_l2"]) > 2 for space in wide)
    assert math.isclose(max(wide[-1]["embedding_l2"]), max(wide[1]["embedding_l2"]))


@pytest.mark.parametrize("name", contenders("my_clicks"))
def test_a_log_of_ones_own_has_spaces(name):
    space = search_space("my_clicks", name)
    assert size(space) == 1 or len(draw(space, 12, seed=name)) == 12


def test_a_model_of_another_package_has_its_own_space(monkeypatch):
    class Mine(LR):
        search_space = {"embedding_l2": (0.0, 0.1)}  # noqa: RUF012

    monkeypatch.setitem(MODELS, "mine", Mine)
    assert contenders("frappe")[-1] == "mine"
    space = search_space("frappe", "mine")
    assert space["embedding_l2"] == (0.0, 0.1) and "embedding_dim" not in space
    assert CONTENDERS["mine"] == "mine"


def test_what_is_not_declared():
    with pytest.raises(ValueError, match="no search space is declared for mlp on mnist"):
        search_space("mnist", "mlp")
    with pytest.raises(ValueError, match="no search space is declared for autoint_bars on criteo"):
        search_space("criteo", "autoint_bars")


def test_models_of_histories_are_rows_where_there_are_histories():
    rows = ["din", "dien", "interhat_target"]
    assert not {*rows} & {*contenders("movielens_ctr")}
    assert contenders("movielens_ctr", histories=True)[-3:] == rows


def test_interhat_with_values_of_pairs_is_searched_as_interhat_is():
    space = search_space("frappe", PAIRS_ROW)
    assert space == {**search_space("frappe", REFERENCE), "pair_values": (True,), "order": (2,)}


def test_interhat_with_target_attention_is_searched_as_interhat_is():
    space = dict(search_space("movielens_ctr", TARGET_ROW))
    (pooling,) = space.pop("pooling")
    assert space == search_space("movielens_ctr", REFERENCE)
    run = {"dataset": "movielens_ctr/history", "model": "interhat_s", "pooling": pooling}
    values = define_flags()
    values(["train", *flag_arguments(run)])
    assert settings(values)[0]["pooling"] == {"history": "target"}


def test_on_movielens_all_rows_say_their_auc_within_a_user():
    for name in contenders("movielens_ctr", histories=True):
        assert search_space("movielens_ctr", name)["auc_by"] == ("user",)
    for name in (REFERENCE, "tuned", "lightgbm"):
        assert "auc_by" not in search_space("frappe", name)
