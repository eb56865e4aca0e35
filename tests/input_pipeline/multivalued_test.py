"""Fields of several values, from a log's columns to batches and back."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interhat_tf import InterHAt, TrainingSettings, prepare_click_log, prepared_dataset, train
from interhat_tf.explanation import explain_records
from interhat_tf.models import LR
from interhat_tf.scoring import score
from interhat_tf.training.growth import grow_model

GENRES = np.array(["Comedy", "Drama", "Sci-Fi", "War"])
ROWS = 600


def make_log(rows=ROWS, seed=0):
    """Columns of a log: movies of war are clicked, and little else."""
    rng = np.random.default_rng(seed)
    genres = [rng.permutation(GENRES)[: rng.integers(0, 4)].tolist() for _ in range(rows)]
    return {
        "click": [int("War" in row) for row in genres],
        "user": [f"u{i}" for i in rng.integers(0, 9, rows)],
        "genres": genres,
        "tags": [rng.integers(0, 20, rng.integers(1, 6)).tolist() for _ in range(rows)],
    }


def write(folder, kind):
    log = make_log()
    frame = pd.DataFrame(log)
    if kind == "pandas":
        return frame
    if kind == "arrow":
        genres = pa.array(log["genres"], pa.large_list(pa.large_string()))
        return pa.table({**log, "genres": genres})
    path = folder / f"log.{kind}"
    if kind == "csv":
        frame["genres"] = frame["genres"].str.join("|")
        frame["tags"] = [" ".join(map(str, row)) for row in log["tags"]]
        frame.to_csv(path, index=False)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        pq.write_table(pa.table(log), path, row_group_size=100)
    return path


def prepare(folder, kind="parquet", name="movies", **options):
    if kind == "csv":
        options["multivalued"] = {"genres": "|", "tags": " "}
    return prepare_click_log(write(folder, kind), name=name, data_dir=folder / "sets", **options)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("movies"))


def rows_of(data, split="test"):
    """The values of a split's rows, as lists."""
    inputs, _ = next(data.evaluation_batches(split, ROWS).as_numpy_iterator())
    return [
        [
            user,
            [value for value in genres.parts if value != "(missing)"],
            list(map(int, tags.parts)),
        ]
        for user, genres, tags in data.decode(inputs).tolist()
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "pandas", "arrow"])
def test_every_kind_of_log_gives_the_same_records(tmp_path, data, kind):
    other = prepare(tmp_path, kind)
    assert other.schema == data.schema and other.digests == data.digests
    assert [field.max_length for field in data.schema.multivalued] == [3, 5]
    assert set(data.vocabularies["genres"]) == {*GENRES, ""}
    for split in ("train", "validation", "test"):
        other.check(split)


def test_records_have_the_logs_values_in_their_order(data):
    log = make_log()
    records = list(zip(log["user"], log["genres"], log["tags"], strict=True))
    found = [row for split in ("train", "validation", "test") for row in rows_of(data, split)]
    assert sorted(map(str, found)) == sorted(str(list(record)) for record in records)


def test_training_batches_have_each_row_once_and_padding_behind_values(data):
    stored = [
        inputs["multivalued"]
        for inputs, _ in data.evaluation_batches("train", 64).as_numpy_iterator()
    ]
    steps = data.num_batches(64)
    batches = data.training_batches(64, seed=3).take(steps).as_numpy_iterator()
    shuffled = []
    for inputs, _ in batches:
        data.schema.check(inputs)
        shuffled.append(inputs["multivalued"])
    stored, shuffled = np.concatenate(stored), np.concatenate(shuffled)
    assert not np.array_equal(stored, shuffled)
    np.testing.assert_array_equal(stored[np.lexsort(stored.T)], shuffled[np.lexsort(shuffled.T)])


def test_unknown_values_take_the_place_of_values_alone(data):
    batches = data.training_batches(480, seed=3, first_epoch=1, unknown_share=0.5)
    inputs, _ = next(batches.as_numpy_iterator())
    known, _ = next(data.training_batches(480, seed=3, first_epoch=1).as_numpy_iterator())
    lists, were = inputs["multivalued"], known["multivalued"]
    np.testing.assert_array_equal(lists == -1, were == -1)
    taken = lists != were
    assert (lists[taken] == 0).all()
    assert 0.4 < taken[were > 0].mean() < 0.6


def test_encode_and_decode(data):
    records = {
        "user": ["u1", "u2", "u3", "u4"],
        "genres": [["War", "Comedy"], [], None, ["War", "Western", "War", "Drama"]],
        "tags": [[3], [4, 5], [6], [1, 2, 3, 4, 5, 6, 7]],
    }
    inputs = data.encode(records)
    assert inputs["multivalued"].dtype == np.int32 and inputs["multivalued"].shape == (4, 8)
    assert data.decode(inputs)[:, 1:].tolist() == [
        ["War, Comedy", "3"],
        ["(missing)", "4, 5"],
        ["(missing)", "6"],
        ["War, (other), War", "1, 2, 3, 4, 5"],  # no row of the log has more
    ]
    assert data.unknown_shares(inputs) == {"user": 0, "genres": pytest.approx(1 / 12), "tags": 0}
    for table in (pd.DataFrame(records), pa.table(records)):
        np.testing.assert_array_equal(data.encode(table)["multivalued"], inputs["multivalued"])
    assert data.unknown_shares_of("test") == {"user": 0, "genres": 0, "tags": 0}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"genres": ["War"]}, "field 'genres', row 0: 'War'; expected a list of values"),
        ({"genres": [[["War"]]]}, "field 'genres', row 0: .* with no list within it"),
        ({"genres": ["War", ["War"]]}, "field 'genres', row 1: .*War.*; a row's values are one"),
        ({"tags": [[1.0, 2.0**60]]}, "field 'tags', row 0: .* expected a list of whole numbers"),
        ({"tags": ["1 2"]}, "field 'tags', row 0: '1 2'; expected a list of whole numbers"),
    ],
)
def test_what_is_no_list_is_refused(data, values, message):
    records = {"user": ["u1"], "genres": [["War"]], "tags": [[1]], **values}
    with pytest.raises(ValueError, match=message):
        data.encode(records)


def test_a_log_of_texts_is_encoded_from_texts_and_from_lists(tmp_path):
    data = prepare(tmp_path, "csv")
    records = {"user": ["u1"], "genres": ["War | Comedy"], "tags": ["1 2"]}
    as_lists = {"user": ["u1"], "genres": [["War", "Comedy"]], "tags": [["1", "2"]]}
    inputs = data.encode(records)
    assert data.decode(inputs).tolist() == [["u1", "War, Comedy", "1, 2"]]
    np.testing.assert_array_equal(data.encode(as_lists)["multivalued"], inputs["multivalued"])
    again = prepared_dataset("movies", tmp_path / "sets")
    np.testing.assert_array_equal(again.encode(records)["multivalued"], inputs["multivalued"])


def test_long_lists_keep_their_first_values(tmp_path):
    with pytest.warns(UserWarning, match="tags: a row has 5 values, of which the first 2 are kept"):
        data = prepare(tmp_path, max_values=2)
    assert [field.max_length for field in data.schema.multivalued] == [2, 2]
    log = make_log()
    firsts = {str(row[:2]) for row in log["tags"]}
    assert {str(tags) for _, _, tags in rows_of(data)} <= firsts


def test_counts_and_hashes_are_of_single_values(tmp_path):
    data = prepare(tmp_path, min_count=90, hash_size={"tags": 7}, exclude="user")
    assert data.vocabularies["genres"] and len(data.vocabularies["tags"]) <= 7
    assert all(name.startswith("hash ") for name in data.vocabularies["tags"])
    assert data.schema.multivalued[1].hash_size == 7


def test_columns_are_named_or_seen(tmp_path, capsys):
    path = write(tmp_path, "csv")
    prepare_click_log(path, name="movies", data_dir=tmp_path, dry_run=True)
    table = capsys.readouterr().out
    assert r"several values with '\|' between them? Then multivalued= splits them" in table
    prepare_click_log(
        path, name="movies", data_dir=tmp_path, dry_run=True, multivalued={"genres": "|"}
    )
    line = next(row for row in capsys.readouterr().out.splitlines() if "| genres" in row)
    assert "multivalued" in line and r"3 at most; '\|' between them" in line
    data = prepare(tmp_path, categorical="user", multivalued=["genres", "tags"])
    assert data.schema.field_names == ("user", "genres", "tags")
    assert len(data.schema.multivalued) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"multivalued": {"genre": "|"}}, "'genre', which is not a column that becomes a field;"),
        ({"multivalued": {"user": ""}}, "multivalued of 'user' is ''; give what stands between"),
        ({"multivalued": ["user"]}, "column 'user' has no lists of text or whole numbers"),
        ({"multivalued": {"genres": "|"}, "numerical": ["genres"]}, "'genres' is named twice"),
        ({"categorical": ["genres"]}, "log.parquet: column 'genres' has lists, .* multivalued="),
        ({"max_values": 0}, "max_values must be at least 1, got 0"),
    ],
)
def test_wrong_choices_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        prepare(tmp_path, **options)


def test_a_model_is_trained_explained_and_scored(tmp_path, data):
    model = InterHAt(data.schema, embedding_dim=6, order=1)
    settings = TrainingSettings(max_epochs=6, batch_size=32, learning_rate=0.02)
    report = train(model, data, tmp_path / "run", settings)
    assert report["test"]["auc"] > 0.99
    inputs, _ = next(data.evaluation_batches("test", 40).as_numpy_iterator())
    explanation = explain_records(model, inputs, data.decode(inputs), background=inputs)
    several = [
        i for i, text in enumerate(explanation.values[:, 1]) if "War" in text.parts and "," in text
    ]
    found = [explanation.value_moves(i, "genres")[0][0] for i in several]
    assert np.mean(np.array(found) == "War") > 0.9
    log = write(tmp_path, "parquet")
    score(model, data, log, tmp_path / "scored.parquet", reasons=1, background=8)
    scored = pq.read_table(tmp_path / "scored.parquet").to_pylist()
    clicks = [row["probability"] for row in scored if row["click"]]
    assert min(clicks[:50]) > max(row["probability"] for row in scored[:50] if not row["click"])
    assert any(
        row["reason_1"].startswith("genres = ") and "War" in row["reason_1"] for row in scored
    )
    with pytest.raises(ValueError, match="CSV cannot hold column 'genres'"):
        score(model, data, log, tmp_path / "scored.csv")


def test_a_scored_row_tells_which_share_of_its_values_is_unknown(tmp_path, data):
    user, tag = data.vocabularies["user"][0], int(data.vocabularies["tags"][0])
    genres = [["War", "Western"], ["War"]]
    log = pa.table({"user": ["new", user], "genres": genres, "tags": [[tag], [tag]]})
    score(LR(data.schema), data, log, tmp_path / "scored.parquet", reasons=0)
    scored = pq.read_table(tmp_path / "scored.parquet")
    assert scored["unknown_share"].to_pylist() == [(1 + 1 / 2 + 0) / 3, 0]


def test_vocabularies_of_lists_grow(tmp_path, data):
    log = make_log(seed=1)
    log["genres"] = [["Western", *row][:3] for row in log["genres"]]
    grown = prepare_click_log(pa.table(log), name="more", data_dir=tmp_path, grow=data)
    (before, *_), (now, *_) = data.schema.multivalued, grown.schema.multivalued
    assert now.vocabulary_size == before.vocabulary_size + 1
    assert grown.vocabularies["genres"][-1] == "Western"
    model = LR(data.schema)
    table = model.linear.embedding.table
    table.assign(np.arange(table.shape[0])[:, None])
    larger = np.asarray(grow_model(model, grown).linear.embedding.table)[:, 0]
    users = data.schema.vocabulary_sizes[0]
    kept = np.arange(users, users + before.vocabulary_size)
    np.testing.assert_array_equal(larger[kept], kept)
    assert larger[users + before.vocabulary_size] == users  # a new value is as an unknown one
    records = {"user": ["u1"], "genres": [["War", "Drama"]], "tags": [[1, 2]]}
    np.testing.assert_allclose(
        grow_model(model, grown)(grown.encode(records)), model(data.encode(records))
    )
