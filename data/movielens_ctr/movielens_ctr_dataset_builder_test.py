import gzip
import random

import numpy as np
import pytest
import tensorflow_datasets as tfds

from interhat_tf.input_pipeline.catalog import prepared_dataset

from .movielens_ctr_dataset_builder import ATTRIBUTES, FIELDS, URL, Builder
from .pairs import with_negatives
from .raw_files import GENRES, read_movies

USERS, MOVIES, RATINGS = 60, 40, 500


def raw_lines():
    """The lines of a small MovieLens-1M: users, movies, ratings."""
    draw = random.Random(0)
    users = [
        f"{i}::{draw.choice('FM')}::{draw.choice([1, 18, 56])}::{draw.randrange(21)}::48067"
        for i in range(1, USERS + 1)
    ]
    movies = [
        f"{i}::Café {i}: The Movie ({1950 + i})::{'|'.join(draw.sample(GENRES, 2))}"
        for i in range(1, MOVIES + 1)
    ]
    pairs = draw.sample([(u, m) for u in range(1, USERS + 1) for m in range(1, 31)], RATINGS)
    ratings = [f"{u}::{m}::{draw.randrange(1, 6)}::978300760" for u, m in pairs]
    return {"users": users, "movies": movies, "ratings": ratings}


def write_movielens(folder, lines=None):
    """Writes the files in the ml-1m layout; returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, of_file in (lines or raw_lines()).items():
        (folder / f"{name}.dat").write_text("\n".join(of_file) + "\n", encoding="latin-1")
    return folder


@pytest.fixture
def raw(tmp_path):
    return write_movielens(tmp_path / "ml-1m")


def records(data):
    """Returns the records of all splits as dictionaries of readable values, with their label."""
    rows = []
    for split in ("train", "validation", "test"):
        for inputs, labels in data.evaluation_batches(split, 64).as_numpy_iterator():
            for ids, label in zip(inputs["categorical"], labels, strict=True):
                names = zip(FIELDS, ids, strict=True)
                rows.append(
                    ({f: data.vocabularies[f][i - 1] if i else None for f, i in names}, label)
                )
    return rows


def test_every_rating_is_a_positive_and_as_many_others_are_negatives(raw, tmp_path):
    data = prepared_dataset("movielens_ctr", tmp_path / "prepared", raw)
    assert data.schema.field_names == FIELDS
    found = records(data)
    assert len(found) == 2 * RATINGS
    lines = raw_lines()
    titles = {line.split("::")[0]: line.split("::")[1] for line in lines["movies"]}
    rated = {(line.split("::")[0], titles[line.split("::")[1]]) for line in lines["ratings"]}
    known = [(r["user"], r["movie"], label) for r, label in found if None not in r.values()]
    assert len(known) > 1.5 * RATINGS
    assert all(((user, movie) in rated) == (label == 1) for user, movie, label in known)
    assert sum(label for _, label in found) == RATINGS
    # A movie that nobody rated is no negative either.
    unrated = {f"Café {i}: The Movie ({1950 + i})" for i in range(31, MOVIES + 1)}
    assert not unrated & {movie for _, movie, _ in known}


def test_values_are_readable_and_belong_together(raw, tmp_path):
    data = prepared_dataset("movielens_ctr", tmp_path / "prepared", raw)
    lines = raw_lines()
    movies = {line.split("::")[1]: line.split("::")[2].split("|") for line in lines["movies"]}
    genders = {line.split("::")[0]: line.split("::")[1] for line in lines["users"]}
    for record, _ in records(data):
        if None in record.values():
            continue
        assert record["year"] == record["movie"][-5:-1]
        assert {g for g in GENRES if record[g] == g} == set(movies[record["movie"]])
        assert record["gender"][0].upper() == genders[record["user"]]
        assert record["age"] in ("under 18", "18-24", "56 or older")


def test_negatives_are_different_disjoint_and_seeded():
    rng = np.random.default_rng(0)
    ratings = np.unique(rng.integers(0, 50, (600, 2)), axis=0).astype("int32")
    pairs, labels = with_negatives(ratings, "ratings.dat")
    assert len(pairs) == 2 * len(ratings) == len(np.unique(pairs, axis=0))
    assert set(map(tuple, pairs[labels == 1])) == set(map(tuple, ratings))
    again = with_negatives(ratings, "ratings.dat")
    np.testing.assert_array_equal(pairs, again[0])
    # Positives and negatives are mixed.
    assert 0.4 < labels[: len(ratings)].mean() < 0.6


def test_too_many_ratings_leave_no_negatives():
    ratings = np.array([(u, m) for u in range(4) for m in range(4)], "int32")
    with pytest.raises(ValueError, match=r"ratings\.dat: more than half of all pairs are rated"):
        with_negatives(ratings, "ratings.dat")


def test_compressed_files_give_the_same(raw, tmp_path):
    plain = prepared_dataset("movielens_ctr", tmp_path / "plain", raw)
    path = raw / "ratings.dat"
    (raw / "ratings.dat.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    compressed = prepared_dataset("movielens_ctr", tmp_path / "compressed", raw)
    assert records(plain) == records(compressed)


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("users", "1::F::1::10", r"users\.dat:3: '1::F::1::10' is not of the form UserID::Gender"),
        ("users", "99::X::1::10::0", r"users\.dat:3: gender is 'X'; it can be F, M"),
        ("users", "99::F::2::10::0", r"users\.dat:3: age is '2'; it can be 1, 18"),
        ("users", "99::F::1::21::0", r"users\.dat:3: occupation is '21'; it can be 0 to 20"),
        ("users", "1::F::1::1::0", r"users\.dat:3: user 1 occurs twice; keep one line"),
        (
            "movies",
            "99::A Film::Drama",
            r"movies\.dat:3: the title 'A Film' does not end in a year",
        ),
        ("movies", "99::A (1999)::Fun", r"movies\.dat:3: Fun: not of the 18 genres"),
        ("ratings", "999::1::5::0", r"ratings\.dat:3: user '999' is not in users\.dat"),
        ("ratings", "1::999::5::0", r"ratings\.dat:3: movie '999' is not in movies\.dat"),
        ("ratings", "1::1::99::0", r"ratings\.dat:3: the rating is '99'; it can be 1 to 5"),
        ("ratings", "1::1::abc::0", r"ratings\.dat:3: the rating is 'abc'; it can be 1 to 5"),
        (
            "ratings",
            "1::1::5::noon",
            r"ratings\.dat:3: the time is 'noon'; it is a number of seconds",
        ),
        ("ratings", "", r"ratings\.dat:3: '' is not of the form UserID::MovieID"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, name, line, message):
    lines = raw_lines()
    lines[name][2] = line
    raw = write_movielens(tmp_path / "ml-1m", lines)
    with pytest.raises(ValueError, match=message):
        prepared_dataset("movielens_ctr", tmp_path / "prepared", raw)
    assert not list((tmp_path / "prepared").rglob("*.tfrecord*"))


def test_a_pair_that_is_rated_twice(tmp_path):
    lines = raw_lines()
    lines["ratings"][2] = lines["ratings"][0]
    raw = write_movielens(tmp_path / "ml-1m", lines)
    with pytest.raises(ValueError, match=r"ratings\.dat:3: user \d+ has rated movie \d+ before"):
        prepared_dataset("movielens_ctr", tmp_path / "prepared", raw)


def test_a_missing_file_is_named(raw, tmp_path):
    (raw / "movies.dat").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"movies\.dat is missing: get it from https://grou"
    ):
        prepared_dataset("movielens_ctr", tmp_path / "prepared", raw)


def test_without_a_folder_it_is_downloaded(raw, tmp_path, monkeypatch):
    asked = []

    def download(self, url):
        asked.append(url)
        return raw.parent

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", download)
    data = prepared_dataset("movielens_ctr", tmp_path / "prepared")
    assert asked == [URL]
    assert data.statistics["records"] == 2 * RATINGS


def test_a_failed_download_says_what_to_do(tmp_path, monkeypatch):
    def download(self, url):
        raise OSError("no network")

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", download)
    with pytest.raises(
        FileNotFoundError, match=r"could not be downloaded \(no network\); get users"
    ):
        prepared_dataset("movielens_ctr", tmp_path / "prepared")


def test_the_builder_has_fields_of_its_own(tmp_path):
    builder = Builder(data_dir=tmp_path)
    assert [field.name for field in builder.fields] == list(FIELDS)


def test_a_title_may_hold_any_byte(tmp_path):
    """Latin-1 knows 0x85 as a line end, and Windows ends lines with two characters."""
    path = tmp_path / "movies.dat"
    path.write_bytes(b"1::One\x85 \x1c Two (1999)::Drama\r\n2::Three (2000)::War\r\n")
    assert read_movies(path)["movie"].to_pylist() == ["One\x85 \x1c Two (1999)", "Three (2000)"]


def test_genres_as_one_field(raw, tmp_path):
    """The same records as the paper's, with the genres of the file as a list."""
    data, pairs = (
        prepared_dataset(f"movielens_ctr/{config}", tmp_path / "prepared", raw)
        for config in ("genres", "pairs")
    )
    assert data.schema.field_names == (*ATTRIBUTES, "genres")
    for split in ("train", "validation", "test"):
        found, expected = (
            list(of_config.evaluation_batches(split, 64)) for of_config in (data, pairs)
        )
        for (inputs, labels), (of_pairs, others) in zip(found, expected, strict=True):
            np.testing.assert_array_equal(labels, others)
            values, marks = data.decode(inputs), pairs.decode(of_pairs)  # (B, fields)
            np.testing.assert_array_equal(values[:, :-1], marks[:, : len(ATTRIBUTES)])
            for genres, row in zip(values[:, -1], marks[:, len(ATTRIBUTES) :], strict=True):
                assert set(genres.split(", ")) == {name for name in row if name in GENRES}
