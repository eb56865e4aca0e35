import collections

import numpy as np
import pytest

from interhat_tf.input_pipeline.catalog import prepared_dataset

from .likes import MAX_HISTORY, liked_or_not
from .movielens_ctr_dataset_builder_test import raw_lines, write_movielens
from .raw_files import read_movies, read_ratings, read_users


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Ratings with times, some of a user's at once, in no order."""
    lines = raw_lines()
    rng = np.random.default_rng(0)
    lines["ratings"] = [
        f"{line.rsplit('::', 1)[0]}::{978_300_000 + rng.integers(9)}" for line in lines["ratings"]
    ]
    return write_movielens(tmp_path_factory.mktemp("ml-1m"), lines)


def read(raw):
    users, movies = read_users(raw / "users.dat"), read_movies(raw / "movies.dat")
    return read_ratings(raw / "ratings.dat", users, movies)


def test_samples_are_those_of_a_plain_loop(raw):
    ratings, samples = read(raw), liked_or_not(read(raw))
    of_users = collections.defaultdict(list)
    for user, movie, stars, time in sorted(ratings.tolist(), key=lambda r: (r[0], r[3])):
        of_users[user].append((movie, stars, time))
    histories = samples.histories
    found = {
        tuple(pair): (label, split, histories.items[start:end].tolist())
        for pair, label, split, start, end in zip(
            samples.pairs.tolist(),
            samples.labels,
            samples.splits,
            histories.starts,
            histories.ends,
            strict=True,
        )
    }
    assert len(found) == len(ratings)
    for user, rated in of_users.items():
        for movie, stars, time in rated:
            label, split, history = found[user, movie]
            before = [row for row in rated if row[2] < time]
            assert label == (stars >= 4)
            assert history == [other for other, of_other, _ in before if of_other >= 4]
            share = len(before) / len(rated)
            assert split == (0 if share < 0.8 else 1 if share < 0.9 else 2)


def test_the_latest_movies_are_kept():
    ratings = np.array([[0, movie, 5, movie] for movie in range(2 * MAX_HISTORY)])
    samples = liked_or_not(ratings)
    last = samples.histories[-1:]
    assert last.items[last.starts[0] : last.ends[0]].tolist() == list(
        range(MAX_HISTORY - 1, 2 * MAX_HISTORY - 1)
    )


def test_a_history_shares_the_movies_ids(raw, tmp_path):
    data = prepared_dataset("movielens_ctr/history", tmp_path, raw)
    (history,) = data.schema.sequences
    assert (history.name, history.shares) == ("history", "movie")
    columns, movie = data.schema.value_columns("history"), data.schema.field_names.index("movie")
    seen = 0
    for inputs, _ in data.evaluation_batches("train", 64).as_numpy_iterator():
        values = data.decode(inputs)
        for row, ids in enumerate(inputs["multivalued"][:, columns]):
            names = [data.vocabularies["movie"][i - 1] if i else "(other)" for i in ids[ids >= 0]]
            assert values[row, -1] == (", ".join(names) or "(none)")
            assert values[row, movie] not in names  # a user rates a movie once
            seen += len(names)
    assert seen > 100


def test_the_same_records_without_a_history(raw, tmp_path):
    with_it, without = (
        prepared_dataset(f"movielens_ctr/{config}", tmp_path, raw)
        for config in ("history", "no_history")
    )
    assert with_it.schema.field_names == (*without.schema.field_names, "history")
    for split in ("train", "validation", "test"):
        both = zip(
            with_it.evaluation_batches(split, 64),
            without.evaluation_batches(split, 64),
            strict=True,
        )
        for (inputs, labels), (others, of_others) in both:
            np.testing.assert_array_equal(labels, of_others)
            np.testing.assert_array_equal(inputs["categorical"], others["categorical"])
