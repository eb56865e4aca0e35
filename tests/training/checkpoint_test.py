"""Tests of resuming: a run that was stopped anywhere ends as the unbroken one."""

import os
import shutil

import pytest

from interhat_tf.training import checkpoint
from interhat_tf.utils.threads import threads_an_operation
from tests.training.runs import (
    assert_equal_weights,
    interrupt,
    load,
    make_model,
    run,
    run_leaving_copies,
    what_must_be_equal,
)


def test_a_damaged_checkpoint_is_named(rule_data, stopped, tmp_path):
    shutil.copy(stopped / "config.json", tmp_path)
    path = tmp_path / "checkpoint.npz"
    content = (stopped / "checkpoint.npz").read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    for damaged in (b"", content[:2], content[:middle], content[:-1], b"x" * 100, flipped):
        path.write_bytes(damaged)
        with pytest.raises(ValueError) as error:
            run(rule_data, tmp_path, resume=True)
        assert str(error.value) == f"{path} is damaged; remove it to start the run again"


def test_another_number_of_threads_is_refused(rule_data, stopped, monkeypatch):
    had = threads_an_operation()
    monkeypatch.setattr(checkpoint, "threads_an_operation", lambda: had + 1)
    with pytest.raises(ValueError, match=f"made with {had} threads.*TF_NUM_INTRAOP_THREADS={had}$"):
        run(rule_data, stopped, resume=True)


# An epoch has four checkpoints, an evaluation and another checkpoint.
MOMENTS = {
    "before the first checkpoint": lambda best, epochs: 0,
    "within an epoch": lambda best, epochs: 3,
    "before an evaluation": lambda best, epochs: 4,
    "after an evaluation": lambda best, epochs: 5,
    "within the epoch after the best": lambda best, epochs: 6 * best + 2,
    "at the drop of the learning rate": lambda best, epochs: 6 * (best + 1),
    "within the last epoch": lambda best, epochs: 6 * epochs - 3,
    "before the report": lambda best, epochs: 6 * epochs - 1,
    "before the test": lambda best, epochs: 6 * epochs,
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_resumed_run_is_the_unbroken_one(rule_data, unbroken, copies, tmp_path, moment):
    folder, report = unbroken
    epochs = report["training"]["epochs"]
    assert report["best_epoch"] == epochs - 2  # so that there are two drops
    event = MOMENTS[moment](report["best_epoch"], epochs)
    stopped = shutil.copytree(copies / str(event), tmp_path / "stopped")
    # All must come from the checkpoint; where there is none yet, from the seed.
    seed = 1 if (stopped / "checkpoint.npz").exists() else 0
    resumed = run(rule_data, stopped, make_model(rule_data.schema, seed), resume=True)
    assert what_must_be_equal(resumed) == what_must_be_equal(report)
    assert_equal_weights(load(stopped), load(folder))


@pytest.mark.slow
def test_a_run_may_be_resumed_again_and_again(rule_data, unbroken, tmp_path, monkeypatch):
    folder, report = unbroken
    for at in (3, 8):  # within the first epoch, and within a later one
        interrupt(monkeypatch, rule_data, tmp_path, at=at, resume=True)
    assert what_must_be_equal(run(rule_data, tmp_path, resume=True)) == what_must_be_equal(report)
    assert_equal_weights(load(tmp_path), load(folder))


def test_what_a_killed_checkpoint_left_is_removed(rule_data, tmp_path, monkeypatch):
    (tmp_path / ".checkpoint.npz.abc").touch()
    interrupt(monkeypatch, rule_data, tmp_path, at=0, resume=True)
    assert sorted(os.listdir(tmp_path)) == [".lock", "config.json", "tensorboard"]


HOW = [
    {"microbatch_size": 16, "ema_momentum": 0.99},
    {"unknown_share": 0.2, "ema_momentum": 0.99, "optimizer": "lazy_adam"},
]


@pytest.mark.slow
@pytest.mark.parametrize("how", HOW)
def test_other_steps_are_resumed_alike(rule_data, tmp_path, monkeypatch, how):
    def given(seed=0):
        # Microbatches are for models without dropout.
        return {"model": make_model(rule_data.schema, seed, dropout=0.0), "max_epochs": 2, **how}

    unbroken, left, left_again = (tmp_path / name for name in ("run", "copies", "of_resumed"))
    report = run_leaving_copies(monkeypatch, rule_data, unbroken, left, **given())
    assert report["validation"]["auc"] > 0.55
    stopped, again = left / "3", left_again / "7"  # within an epoch, and in the second one
    options = {"resume": True, **given(seed=1)}
    resumed = run_leaving_copies(monkeypatch, rule_data, stopped, left_again, **options)
    finished = run(rule_data, again, resume=True, **given(seed=2))
    assert what_must_be_equal(resumed) == what_must_be_equal(report) == what_must_be_equal(finished)
    assert_equal_weights(load(stopped), load(unbroken))
    assert_equal_weights(load(again), load(unbroken))
