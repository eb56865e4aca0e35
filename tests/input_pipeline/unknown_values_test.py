"""Tests of training values that are taken for unknown."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from interhat_tf import prepare_click_log
from interhat_tf.input_pipeline.unknown_values import UnknownValues
from tests.input_pipeline.small_log import assert_equal, take

pytestmark = pytest.mark.usefixtures("small_windows")


def test_a_share_of_the_values_is_replaced_and_no_other():
    inputs = {
        "categorical": tf.ones((20_000, 3), tf.int32) * [[7, 8, 9]],
        "numerical": tf.ones((20_000, 2)) * [[0.25, 0.5]],
    }
    unknown = UnknownValues(0.1, np.array([True, False, True]), np.array([False, True]))
    found = unknown.replace(inputs, tf.constant([3, 4], tf.int64))
    ids, numbers = found["categorical"].numpy(), found["numerical"].numpy()
    assert set(ids[:, 0]) == {0, 7} and set(ids[:, 1]) == {8} and set(ids[:, 2]) == {0, 9}
    assert (numbers[:, 0] == 0.25).all() and set(numbers[~np.isnan(numbers[:, 1]), 1]) == {0.5}
    replaced = np.stack([ids[:, 0] == 0, ids[:, 2] == 0, np.isnan(numbers[:, 1])])
    np.testing.assert_allclose(replaced.mean(axis=1), 0.1, atol=0.01)
    # Of one row's fields, independently.
    np.testing.assert_allclose(np.corrcoef(replaced) - np.eye(3), 0, atol=0.03)
    again = unknown.replace(inputs, tf.constant([3, 4], tf.int64))
    np.testing.assert_array_equal(again["categorical"], ids)
    other = unknown.replace(inputs, tf.constant([3, 5], tf.int64))
    assert (other["categorical"].numpy() != ids).any()


def test_padding_is_never_taken_for_a_value():
    lists = tf.tile(tf.constant([[5, 6, -1]]), (1_000, 1))
    nothing, chosen = np.zeros(0, bool), np.array([True, False, True])
    unknown = UnknownValues(0.5, nothing, nothing, chosen)
    found = unknown.replace({"multivalued": lists}, tf.constant([3, 4], tf.int64))
    assert [set(ids) for ids in found["multivalued"].numpy().T] == [{0, 5}, {6}, {-1}]


def test_batches_are_the_same_but_for_unknown_values(dataset):
    plain = take(dataset.training_batches(100, seed=5), 64)
    unknown = take(dataset.training_batches(100, seed=5, unknown_share=0.2), 64)
    assert_equal(unknown[:4], plain[:4])  # the first window has none
    for one, other in zip(plain, unknown, strict=True):
        changed = one != other
        assert not changed[:, 2:].any()  # a price cannot be missing
        assert (other[changed] == 0).all()
    ids, others = (np.concatenate(batches[4:])[:, :2] for batches in (plain, unknown))
    assert (others[ids != 0] == 0).mean() == pytest.approx(0.2, abs=0.02)
    # Each epoch has others; batches follow from the seed, the epoch and their place alone.
    epochs = [np.concatenate(unknown[at : at + 16]) for at in (16, 32, 48)]
    unknown_rows = [set(epoch[(epoch[:, :2] == 0).any(axis=1), 2]) for epoch in epochs]
    assert unknown_rows[0] != unknown_rows[1] != unknown_rows[2]
    for skip in (3, 5, 16, 21):
        first_epoch, skip_batches = divmod(skip, 16)
        batches = dataset.training_batches(
            100, 5, first_epoch=first_epoch, skip_batches=skip_batches, unknown_share=0.2
        )
        assert_equal(take(batches, 10), unknown[skip : skip + 10])


def test_several_readers_see_what_one_does(several_files):
    options = {"seed": 1, "first_epoch": 1, "shards": 2, "unknown_share": 0.2}
    whole = take(several_files.training_batches(100, **options), 10)
    halves = [
        take(several_files.training_batches(100, **options, of_shards=[shard]), 10)
        for shard in (0, 1)
    ]
    assert_equal([np.concatenate(parts) for parts in zip(*halves, strict=True)], whole)


@pytest.fixture
def log(tmp_path):
    """A log of one number that is never missing, one that is, and one in buckets."""
    rows = [
        f"{row % 2},u{row % 5},{row / 3:.2f},{'' if row % 4 else round(row / 7, 3)},{row / 9:.2f}"
        for row in range(400)
    ]
    (tmp_path / "log.csv").write_text("\n".join(["click,user,price,age,size", *rows]))
    return prepare_click_log(
        tmp_path / "log.csv", name="log", data_dir=tmp_path, scaling={"size": "buckets"}
    )


def test_what_is_unknown_in_training_rows_already_is_left(log):
    assert log.unknown_share > 0
    batches = log.training_batches(100, 0, first_epoch=1, unknown_share=0.5)
    inputs = [inputs for inputs, _ in itertools.islice(batches.as_numpy_iterator(), 3)]
    ids, numbers = (np.concatenate([i[k] for i in inputs]) for k in ("categorical", "numerical"))
    names = log.schema.field_names
    shares = dict(
        zip(names, [*(ids == 0).mean(axis=0), *np.isnan(numbers).mean(axis=0)], strict=True)
    )
    assert shares["user"] == pytest.approx(0.5, abs=0.1)
    assert shares["price"] == pytest.approx(0.5, abs=0.1)
    assert shares["size"] == 0  # every number is in a bucket
    assert shares["age"] == pytest.approx(0.75, abs=0.06)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "statistics", {**log.statistics, "missing": {}})
        inputs, _ = next(
            log.training_batches(100, 0, first_epoch=1, unknown_share=0.5).as_numpy_iterator()
        )
        assert not np.isnan(inputs["numerical"][:, 0]).any()
