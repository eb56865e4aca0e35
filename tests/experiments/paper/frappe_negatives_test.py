import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.paper import frappe_negatives
from interhat_tf.utils.files import read_json, write_json
from tests.commands.train_test import write_raw
from tests.experiments.conftest import report_of


@pytest.fixture
def raw(tmp_path):
    return write_raw(tmp_path / "raw")


@pytest.fixture
def files(rng):
    """Rows as `read_libfm` returns them: 20 users, of whom each used a few of 60 apps."""

    def rows(number):
        ids = rng.integers(10, size=(number, 8)) + 100 + 10 * np.arange(8)
        users, apps = rng.integers(20, size=number), 20 + rng.integers(60, size=number)
        return np.column_stack([np.where(rng.random(number) < 0.3, 1, -1), users, apps, ids])

    return dict(zip(frappe_negatives.NFM_FILES, (rows(300), rows(40), rows(50)), strict=True))


@pytest.fixture
def sparse_raw(tmp_path, files):
    """The rows as NFM files."""
    for name, rows in files.items():
        lines = [f"{row[0]} {' '.join(f'{i}:1' for i in row[1:])}\n" for row in rows.tolist()]
        (tmp_path / name).write_text("".join(lines))
    return tmp_path


@pytest.mark.parametrize("by_popularity", [False, True])
def test_apps_drawn_again_were_never_used_by_the_user(files, by_popularity):
    rows = np.concatenate(list(files.values()))
    used = {(user, app) for label, user, app in rows[:, :3] if label == 1}
    train = files[frappe_negatives.TRAIN]
    users = train[train[:, 0] != 1, 1]
    apps = frappe_negatives.redraw(files, 0, by_popularity)
    assert len(apps) == len(users)
    assert not used & set(zip(users, apps, strict=True))
    assert (apps != frappe_negatives.negative_apps(train)).any()
    np.testing.assert_array_equal(apps, frappe_negatives.redraw(files, 0, by_popularity))
    assert (apps != frappe_negatives.redraw(files, 1, by_popularity)).any()


def test_nothing_but_the_negatives_apps_changes(study_flags, sparse_raw, files):
    rows = files[frappe_negatives.TRAIN]
    apps = frappe_negatives.redraw(files, 0, False)
    place = frappe_negatives.write_set(sparse_raw, rows, apps, (0, False))
    folder = study_flags / "runs/frappe_negatives/0"
    assert place == {"data_dir": f"{folder}/prepared"}
    written = frappe_negatives.read_libfm(folder / frappe_negatives.TRAIN)
    changed = written != rows
    assert not changed[rows[:, 0] == 1].any() and not np.delete(changed, 2, axis=1).any()
    np.testing.assert_array_equal(frappe_negatives.negative_apps(written), apps)
    for name in (frappe_negatives.VALIDATION, frappe_negatives.TEST):
        assert (folder / name).read_bytes() == (sparse_raw / name).read_bytes()


def test_a_damaged_line_is_named(raw):
    path = raw / frappe_negatives.TRAIN
    path.write_text(path.read_text() + "1 2:1\n")
    with pytest.raises(ValueError, match=r"train\.libfm:301: expected 11 values, found 2"):
        frappe_negatives.read_libfm(path)


def test_each_draw_is_trained_with_the_chosen_setting(study_flags, sparse_raw, files, fake_runs):
    setting = {"learning_rate": 0.1}
    write_json(study_flags / "results/table_3/frappe/fm.json", {"setting": setting})
    with flagsaver.flagsaver(raw_dir=str(sparse_raw), draws=2, models=["fm"]):
        frappe_negatives.main(None)
    summary = read_json(study_flags / "results/frappe_negatives/frappe/summary.json")
    assert [row["negatives"] for row in summary["rows"]] == [
        "as given",
        "drawn again uniformly, 1",
        "drawn again uniformly, 2",
        "drawn again by popularity",
    ]
    assert all(setting.items() <= run.items() for run in fake_runs.asked)
    assert len({run["data_dir"] for run in fake_runs.asked}) == 4
    scores = [report_of(run)["test"]["auc"] for run in fake_runs.asked[:3]]
    assert summary["rows"][0]["auc"]["mean"] == pytest.approx(np.mean(scores))
    given, validation, test = (frappe_negatives.negative_apps(rows) for rows in files.values())
    for name, apps in (("as given", given), ("original test", test)):
        assert summary["distances"][name] == frappe_negatives.distance(apps, validation) > 0


def test_a_user_of_all_apps_has_no_negative(raw):
    files = {name: frappe_negatives.read_libfm(raw / name) for name in frappe_negatives.NFM_FILES}
    with pytest.raises(ValueError, match="has used all apps: no negative is left"):
        frappe_negatives.redraw(files, 0, False)


def test_without_table_3_it_says_what_to_run_first(study_flags):
    with pytest.raises(FileNotFoundError, match=r"run experiments\.paper\.table_3 first"):
        frappe_negatives.main(None)


def test_popular_apps_are_drawn_more_often(files):
    positives = np.concatenate([rows[rows[:, 0] == 1] for rows in files.values()])
    popularity = np.bincount(positives[:, 2])
    uniform, popular = (
        popularity[frappe_negatives.redraw(files, 0, by)].mean() for by in (False, True)
    )
    assert uniform == pytest.approx(popularity[popularity > 0].mean(), rel=0.1)
    assert popular > 1.2 * uniform
