"""Sequences, a user's history among them, from a log's columns to batches and back."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interhat_tf import InterHAt, TrainingSettings, prepare_click_log, prepared_dataset, train
from interhat_tf.commands import prepare as prepare_command
from interhat_tf.explanation import explain_records
from interhat_tf.models import LR
from interhat_tf.scoring import score
from interhat_tf.training.growth import grow_model

ROWS = 400
HISTORY = {"sequence": ["history"], "shares": {"history": "movie"}}


def make_log(rows=ROWS, seed=0, first=0):
    """Columns of a log: 12 movies, and of each row up to 6 that were seen before."""
    rng = np.random.default_rng(seed)
    movies = (first + rng.integers(0, 12, rows)).tolist()
    seen = [(first + rng.integers(0, 13, rng.integers(0, 7))).tolist() for _ in range(rows)]
    return {
        "click": [int(m in s) for m, s in zip(movies, seen, strict=True)],
        "history": seen,
        "tags": [rng.integers(0, 5, rng.integers(1, 4)).tolist() for _ in range(rows)],
        "movie": movies,
    }


def write(folder, kind, log=None):
    log = log or make_log()
    frame = pd.DataFrame(log)
    path = folder / f"log.{kind}"
    if kind == "pandas":
        return frame
    if kind == "arrow":
        return pa.table(log)
    if kind == "csv":
        for name in ("history", "tags"):
            frame[name] = [" ".join(map(str, row)) for row in log[name]]
        frame.to_csv(path, index=False)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        pq.write_table(pa.table(log), path, row_group_size=100)
    return path


def prepare(folder, kind="parquet", name="seen", log=None, **options):
    options = {**HISTORY, **options}
    if kind == "csv":
        options |= {"sequence": {"history": " "}, "multivalued": {"tags": " "}}
    path = write(folder, kind, log)
    return prepare_click_log(path, name=name, data_dir=folder / "sets", **options)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("seen"))


def records_of(data):
    """The records of all splits as text: the movie, tags and the history."""
    found = []
    for split in ("train", "validation", "test"):
        for inputs, _ in data.evaluation_batches(split, 64).as_numpy_iterator():
            found += map(str, data.decode(inputs).tolist())
    return sorted(found)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "pandas", "arrow"])
def test_every_kind_of_log_gives_the_same_records(tmp_path, data, kind):
    other = prepare(tmp_path, kind)
    assert other.schema == data.schema and other.digests == data.digests
    assert data.schema.field_names == ("movie", "tags", "history")
    (history,) = data.schema.sequences
    assert (history.shares, history.max_length) == ("movie", 6)
    assert history.vocabulary_size == data.schema.categorical[0].vocabulary_size
    again = prepared_dataset("seen", tmp_path / "sets")
    for split in ("train", "validation", "test"):
        again.check(split)
    assert again.vocabularies["history"] == again.vocabularies["movie"]


def test_records_have_the_logs_values_in_their_order(data):
    log = make_log()
    known = data.vocabularies["movie"]
    texts = [[str(m) if str(m) in known else "(other)" for m in row] for row in log["history"]]
    assert not any("(other)" in row for row in [[str(m)] for m in log["movie"]])
    assert any("(other)" in row for row in texts)  # movie 12 is in histories alone
    expected = [
        str([str(movie), ", ".join(map(str, tags)), ", ".join(history) or "(none)"])
        for movie, tags, history in zip(log["movie"], log["tags"], texts, strict=True)
    ]
    assert records_of(data) == sorted(expected)


def test_the_shared_fields_vocabulary_is_that_without_the_sequence(tmp_path, data):
    path = write(tmp_path, "parquet")
    without = prepare_click_log(path, name="alone", data_dir=tmp_path / "sets", exclude=["history"])
    assert without.vocabularies["movie"] == data.vocabularies["movie"]
    assert without.schema.categorical == data.schema.categorical
    batches = [d.evaluation_batches("test", ROWS) for d in (data, without)]
    for (inputs, labels), (others, other_labels) in zip(*batches, strict=True):
        np.testing.assert_array_equal(inputs["categorical"], others["categorical"])
        columns = data.schema.value_columns("tags")
        np.testing.assert_array_equal(inputs["multivalued"][:, columns], others["multivalued"])
        np.testing.assert_array_equal(labels, other_labels)


def test_the_latest_values_are_kept_and_of_a_bag_the_first(tmp_path):
    with pytest.warns(UserWarning, match="history: a row has 6 values, of which the latest 2 are"):
        data = prepare(tmp_path, max_values={"history": 2, "tags": 2})
    assert [field.max_length for field in data.schema.multivalued] == [2, 2]
    records = {"movie": [1], "history": [[1, 2, 3]], "tags": [[1, 2, 3]]}
    assert data.decode(data.encode(records)).tolist() == [["1", "1, 2", "2, 3"]]


def test_encode_and_decode(data):
    records = {
        "movie": ["3", "4", "5", "99"],
        "history": [[7, 99, None, 7], [], None, [1, 2, 3, 4, 5, 6, 7, 8]],
        "tags": [[1], [], [2], [3]],
    }
    inputs = data.encode(records)
    assert inputs["multivalued"].dtype == np.int32
    history = inputs["multivalued"][:, data.schema.value_columns("history")]
    ids = {int(m): i + 1 for i, m in enumerate(data.vocabularies["movie"])}
    assert history.tolist() == [
        [ids[7], 0, ids[7], -1, -1, -1],
        [-1] * 6,
        [-1] * 6,
        [ids[m] for m in (3, 4, 5, 6, 7, 8)],
    ]
    assert data.decode(inputs)[:, 2].tolist() == [
        "7, (other), 7",
        "(none)",
        "(none)",
        "3, 4, 5, 6, 7, 8",
    ]
    assert data.unknown_shares(inputs)["history"] == pytest.approx(1 / 12)
    for table in (pd.DataFrame(records), pa.table(records)):
        np.testing.assert_array_equal(data.encode(table)["multivalued"], inputs["multivalued"])
    assert data.id_of("history", "7") == ids[7]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("7 8", "field 'history', row 1: '7 8'; a row's values are one list of texts or"),
        ([[7]], r"field 'history', row 1: \[\[7\]\]; .* with no list within it"),
        ([7, [8]], r"field 'history', row 1: \[7, \[8\]\]; .* with no list within it"),
        ([2.0**60], "field 'history', row 1: .*; expected a list of whole numbers"),
        (7, "field 'history', row 1: 7; a row's values are one list"),
    ],
)
def test_what_is_no_list_is_refused_with_its_row(data, values, message):
    records = {"movie": [1, 2, 3], "history": [[7], values, [8]], "tags": [[1]] * 3}
    with pytest.raises(ValueError, match=message):
        data.encode(records)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ("7 8", 'history is "7 8"; its first values are of the kind array, write all so'),
        (7, "history is 7; its first values are of the kind array, write all so"),
        ([[7]], r"history is \[\[7\]\]; its first lists hold the kind number, write all so"),
        ([7, [8]], r"history is \[7, \[8\]\]; its first lists hold the kind number, write all so"),
        (["x"], r'history is \["x"\]; its first lists hold the kind number, write all so'),
    ],
)
def test_a_line_that_has_no_list_is_named(tmp_path, values, says):
    log = make_log()
    log["history"] = [row or [1] for row in log["history"]]
    lines = pd.DataFrame(log).to_json(orient="records", lines=True).splitlines()
    lines[60] = json.dumps({**json.loads(lines[60]), "history": values})
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=rf"log.jsonl:61: {says}"):
        prepare_click_log(path, name="seen", data_dir=tmp_path, **HISTORY)


def test_whole_numbers_are_the_same_however_they_are_written(tmp_path):
    log = make_log()
    log["movie"] = [f"{movie}.0" if row % 3 else "" for row, movie in enumerate(log["movie"])]
    log["history"] = [[f"{m}.0" for m in row] for row in log["history"]]
    data = prepare(tmp_path, log=log)
    ids = {m: i + 1 for i, m in enumerate(data.vocabularies["movie"])}
    assert "7" in ids and "" in ids  # ids with gaps, of which pandas makes floats
    inputs = data.encode({"movie": [7], "history": [["7.0", "7", ""]], "tags": [[1]]})
    columns = data.schema.value_columns("history")
    assert inputs["multivalued"][0, columns].tolist()[:3] == [ids["7"], ids["7"], -1]


def test_hashes_and_counts_are_the_shared_fields(tmp_path):
    data = prepare(tmp_path, hash_size={"movie": 5}, min_count=40)
    (history,) = data.schema.sequences
    assert history.hash_size == 5 and len(data.vocabularies["history"]) <= 5
    inputs = data.encode({"movie": [7], "history": [[8, 7]], "tags": [[1]]}, max_unknown=1.0)
    history = inputs["multivalued"][0, data.schema.value_columns("history")]
    assert history[1] == inputs["categorical"][0, 0]
    assert data.id_of("history", "7") == data.id_of("movie", "7")


def test_a_sequence_may_have_a_vocabulary_of_its_own_which_another_one_shares(tmp_path):
    log = make_log()
    log["liked"] = [row[::2] for row in log["history"]]
    data = prepare(tmp_path, log=log, sequence=["history", "liked"], shares={"liked": "history"})
    assert set(data.vocabularies["history"]) == set(map(str, range(13)))
    history, liked = data.schema.sequences
    assert history.shares is None and liked.shares == "history"
    assert data.vocabularies["liked"] == data.vocabularies["history"]


def test_columns_are_said_in_a_line_each(tmp_path, capsys):
    path = write(tmp_path, "csv")
    options = {"sequence": {"history": " "}, "shares": {"history": "movie"}}
    prepare_click_log(path, name="seen", data_dir=tmp_path, dry_run=True, **options)
    line = next(row for row in capsys.readouterr().out.splitlines() if "| history" in row)
    assert "| sequence " in line and "the vocabulary of 'movie'; " in line
    assert "values a row, 6 at most; ' ' between them" in line
    empty = sum(not row for row in make_log()["history"]) / ROWS
    assert f"{empty:.1%}" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequence": "histori", "shares": {}}, "sequence names 'histori', .* 'history'?"),
        ({"shares": {"tags": "movie"}}, "shares names 'tags', which is not a column of sequence="),
        ({"shares": {"history": "movies"}}, "shares of 'history' names 'movies', .* 'movie'?"),
        ({"shares": {"history": "history"}}, "names 'history', which is not a field of text or"),
        ({"sequence": {"history": ""}}, "sequence of 'history' is ''; give what stands between"),
        ({"sequence": ["history", "movie"]}, "'movie' has no lists .* in sequence={\"movie\": "),
        ({"multivalued": ["history"]}, "column 'history' is named twice; a field has one kind"),
        ({"hash_size": {"history": 9}}, "hash_size of 'history': it uses the vocabulary of 'mov"),
        ({"max_values": {"movie": 9}}, "max_values names 'movie', which is not a field of several"),
        ({"max_values": {"history": 0}}, "max_values of 'history' must be at least 1, got 0"),
        ({"scaling": {"movie": "buckets"}}, "shares of 'history' names 'movie', which is not a"),
    ],
)
def test_wrong_choices_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        prepare(tmp_path, **options)


def test_the_command_takes_them(tmp_path, data):
    log = write(tmp_path, "csv")
    flags = prepare_command.define_flags()
    about = [f"--log={log}", f"--data_dir={tmp_path}", "--dataset=seen", "--max_values=8"]
    flags(["", *about, "--sequence=history= ", "--shares=history=movie", "--multivalued=tags= "])
    prepare_command.main(flags)
    assert prepared_dataset("seen", tmp_path).schema == data.schema


def test_a_model_is_trained_explained_and_scored(tmp_path, data):
    model = InterHAt.from_preset("tuned", data.schema, rows=data.num_rows("train"))
    settings = TrainingSettings(max_epochs=2, batch_size=64, learning_rate=0.01)
    report = train(model, data, tmp_path / "run", settings)
    assert set(report["unknown"]["test"]) == {"movie", "tags", "history"}
    inputs, _ = next(data.evaluation_batches("test", 8).as_numpy_iterator())
    explanation = explain_records(model, inputs, data.decode(inputs))
    (row, *_) = [i for i, v in enumerate(explanation.values) if len(v[2].split(", ")) > 1]
    named = [value for value, _ in explanation.value_shares(row, "history")]
    assert sorted(named) == sorted(explanation.values[row, 2].parts)
    score(model, data, write(tmp_path, "parquet"), tmp_path / "s.parquet", reasons=3, background=4)
    scored = pq.read_table(tmp_path / "s.parquet").to_pylist()
    for record in scored[:20]:
        (told,) = [record[f"reason_{i}"] for i in (1, 2, 3) if "history" in record[f"reason_{i}"]]
        values = ", ".join(map(str, record["history"]))
        assert told == (f"history = {values}" if values else "no history")


def test_a_shared_vocabulary_grows_for_both(tmp_path, data):
    log = make_log(seed=1, first=5)
    grown = prepare_click_log(pa.table(log), name="more", data_dir=tmp_path, grow=data)
    before, now = data.vocabularies["movie"], grown.vocabularies["movie"]
    assert now[: len(before)] == before and set(now) > set(before)
    assert grown.vocabularies["history"] == now
    assert grown.schema.sequences[0].max_length == 6
    model = LR(data.schema)
    table = model.linear.embedding.table
    table.assign(np.random.default_rng(0).normal(size=table.shape))
    larger = grow_model(model, grown)
    added = len(now) - len(before)
    assert larger.linear.embedding.table.shape[0] == table.shape[0] + added
    seen = {"movie": [3, 15, 99], "history": [[4, 5], [15, 16, 3], []], "tags": [[1], [2], [9]]}
    inputs = [d.encode(seen, max_unknown=1.0) for d in (data, grown)]
    np.testing.assert_array_equal(larger(inputs[1]), model(inputs[0]))
    dropped = prepare_click_log(
        pa.table(make_log(seed=2, first=9)),
        name="less",
        data_dir=tmp_path,
        grow=grown,
        drop_after=1,
    )
    assert "3" not in dropped.vocabularies["history"]
    last, inputs = grow_model(larger, dropped), dropped.encode(seen, max_unknown=1.0)
    known = {**seen, "movie": [99, 15, 99], "history": [[99, 99], [15, 16, 99], []]}
    np.testing.assert_array_equal(last(inputs), larger(grown.encode(known, max_unknown=1.0)))
