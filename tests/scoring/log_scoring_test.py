"""Tests of scoring a log."""

import gzip
import json
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interhat_tf import score
from interhat_tf.calibration import Calibration, probability
from interhat_tf.explanation.attributions import occlusion
from interhat_tf.explanation.batches import predict
from interhat_tf.explanation.selection import first_records
from interhat_tf.explanation.sentences import label
from interhat_tf.models import FM
from interhat_tf.preprocessing import text_chunks
from interhat_tf.schema import MISSING
from interhat_tf.scoring import log_scoring
from interhat_tf.scoring.parts import Parts
from tests.models.held_effects import with_effects
from tests.numpy_reference import randomise
from tests.scoring.conftest import write_log

pytestmark = pytest.mark.filterwarnings("ignore:values that training rows do not have")


@pytest.fixture
def log(tmp_path):
    return write_log(tmp_path / "ads.csv", rows=120, seed=1, label=False)


@pytest.fixture
def small_chunks(monkeypatch):
    """Cuts text logs into chunks of some twenty rows."""
    monkeypatch.setitem(text_chunks.text_chunks.__kwdefaults__, "chunk_bytes", 700)


def test_the_same_rows_with_the_models_probability(model, data, log, tmp_path, small_chunks):
    found = score(model, data, log, tmp_path / "scored.parquet", reasons=0)
    table = pq.read_table(tmp_path / "scored.parquet")
    raw = pd.read_csv(log, dtype=str, keep_default_na=False)
    assert table.column_names == [*raw.columns, "probability", "unknown_share"]
    assert table.select(list(raw.columns)).to_pydict() == raw.to_dict("list")
    inputs = data.encode({**raw.to_dict("list"), "price": [v or None for v in raw.price]})
    expected = probability(predict(model, inputs))
    np.testing.assert_allclose(table["probability"], expected, atol=1e-6)
    unknown = (inputs["categorical"] == 0).mean(axis=1)
    assert unknown.max() > 0 and (unknown == 0).any()
    np.testing.assert_allclose(table["unknown_share"], unknown, atol=1e-6)
    assert found["rows"] == 120 and found["calibration"] is found["effects"] is None
    assert found["probability"] == pytest.approx(expected.mean(), abs=1e-6)
    assert found["unknown"] == pytest.approx(data.unknown_shares(inputs))
    assert not list(tmp_path.glob(".*"))


def test_csv_reads_as_the_same(model, data, log, tmp_path, small_chunks):
    score(model, data, log, tmp_path / "scored.parquet", reasons=2, background=3)
    score(model, data, log, tmp_path / "scored.csv", reasons=2, background=3)
    table = pq.read_table(tmp_path / "scored.parquet").to_pandas()
    text = pd.read_csv(tmp_path / "scored.csv", dtype=str, keep_default_na=False)
    numbers = ["probability", "unknown_share", "effect_1", "effect_2"]
    assert list(text.columns) == list(table.columns)
    pd.testing.assert_frame_equal(
        text.drop(columns=numbers), table.drop(columns=numbers), check_dtype=False
    )
    np.testing.assert_allclose(text[numbers].astype(float), table[numbers], rtol=1e-6)
    lines = (tmp_path / "scored.csv").read_text().splitlines()
    assert lines[1].startswith(log.read_text().splitlines()[1])


def test_calibrated_probabilities(model, data, log, tmp_path):
    model.calibration = Calibration("platt", 40, slope=0.5, intercept=-3.0)
    found = score(model, data, log, tmp_path / "scored.parquet", reasons=0)
    table = pq.read_table(tmp_path / "scored.parquet")
    model.calibration = None
    score(model, data, log, tmp_path / "plain.parquet", reasons=0)
    p = np.asarray(pq.read_table(tmp_path / "plain.parquet")["probability"], "float64")
    logits = np.log(p / (1 - p))
    np.testing.assert_allclose(table["probability"], probability(0.5 * logits - 3), atol=1e-5)
    assert found["calibration"] == "calibrated by Platt scaling on 40 validation records"


@pytest.mark.parametrize("estimated", [False, True])
def test_the_reasons_have_the_largest_effects(model, data, log, tmp_path, estimated):
    if estimated:
        with_effects(model)
    found = score(model, data, log, tmp_path / "scored.parquet", reasons=3)
    table = pq.read_table(tmp_path / "scored.parquet").to_pandas()
    raw = pd.read_csv(log, dtype=str, keep_default_na=False)
    inputs = data.encode({**raw.to_dict("list"), "price": [v or None for v in raw.price]})
    if estimated:
        effects = np.asarray(model.explain_effects(inputs)["effects"])
    else:
        effects = occlusion(model, inputs, first_records(data, "train", 32))
    assert ("estimated" if estimated else "exact, against 32") in found["effects"]
    order = np.argsort(-np.abs(effects), axis=1)
    names, values = np.array(data.schema.field_names), data.decode(inputs)
    prices = [f"{float(price):.6g}" if price else MISSING for price in raw.price]
    values[:, list(names).index("price")] = prices  # as they are, not scaled and back
    for i in range(3):
        chosen = order[:, i : i + 1]
        expected = np.take_along_axis(effects, chosen, axis=1)[:, 0]
        np.testing.assert_allclose(table[f"effect_{i + 1}"], expected, atol=1e-5)
        words = [label(names[j], row[j]) for j, row in zip(chosen[:, 0], values, strict=True)]
        assert table[f"reason_{i + 1}"].tolist() == words
    reasons = set(table.reason_1) | set(table.reason_2)
    assert "app = (other)" in reasons and "app unknown" in reasons


def test_rows_are_counted_before_their_chunk_is_done(model, data, log, tmp_path, monkeypatch):
    monkeypatch.setattr("interhat_tf.scoring.reasons.ROWS", 8 * 50)
    counted = []
    monkeypatch.setattr(log_scoring.tqdm, "update", lambda bar, rows: counted.append(rows))
    score(model, data, log, tmp_path / "scored.csv")
    assert counted == [50, 50, 20]
    score(model, data, log, tmp_path / "again.csv", reasons=0)
    assert counted[3:] == [120]


def test_text_in_views_is_quoted_like_any_other(data, tmp_path):
    model = FM(data.schema)
    rows = {"user": ["u1", "u2, jr", "u3"], "app": ["x", 'say "y"', "y\nz"]}
    others = pd.read_csv(write_log(tmp_path / "ads.csv", rows=3, seed=1, label=False), dtype=str)
    table = pa.Table.from_pandas(others.assign(**rows), preserve_index=False)
    views = table.cast(pa.schema([(name, pa.string_view()) for name in table.column_names]))
    for name, log in {"plain": table, "views": views}.items():  # as polars has it
        score(model, data, log, tmp_path / f"{name}.csv", reasons=0)
    assert (tmp_path / "views.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()
    assert pd.read_csv(tmp_path / "views.csv", dtype=str)["app"].tolist() == rows["app"]


def test_a_cross_as_a_reason(data, log, tmp_path):
    crossed = data.with_crosses([("user", "app")])
    model = randomise(FM(crossed.schema, embedding_dim=4))
    score(model, crossed, log, tmp_path / "scored.parquet", reasons=9, background=2)
    table = pq.read_table(tmp_path / "scored.parquet").to_pandas()
    assert "reason_5" in table and "reason_6" not in table
    rows = zip(table.user, table.app, table.filter(like="reason").to_numpy(), strict=True)
    for user, app, reasons in rows:
        (cross,) = (reason for reason in reasons if reason.startswith("user x app = "))
        expected = f"user x app = {user} x {app or '(missing)'}"
        assert cross in (expected, "user x app = (other)")
        assert app != "games" or cross.endswith("(other)")


@pytest.mark.parametrize("kind", ["folder", "gz", "json", "parquet", "table", "frame"])
def test_every_kind_of_log(model, data, log, tmp_path, kind, small_chunks):
    raw = pd.read_csv(log, dtype=str, keep_default_na=False)
    typed = raw.assign(price=pd.to_numeric(raw.price, errors="coerce"))
    source = tmp_path / "other"
    if kind == "folder":
        source.mkdir()
        raw[:50].to_csv(source / "1.csv", index=False)
        raw[50:].to_csv(source / "2.csv", index=False)
    elif kind == "gz":
        source = source.with_suffix(".csv.gz")
        source.write_bytes(gzip.compress(log.read_bytes()))
    elif kind == "json":
        source = source.with_suffix(".jsonl")
        source.write_text(typed.to_json(orient="records", lines=True))
    elif kind == "parquet":
        source = source.with_suffix(".parquet")
        typed.to_parquet(source, row_group_size=32)
    else:
        source = typed if kind == "frame" else pa.Table.from_pandas(typed)
    score(model, data, log, tmp_path / "expected.parquet", reasons=1, background=2)
    score(model, data, source, tmp_path / "scored.parquet", reasons=1, background=2)
    expected = pq.read_table(tmp_path / "expected.parquet").to_pandas()
    found = pq.read_table(tmp_path / "scored.parquet").to_pandas()
    same = ["user", "note", "app", "time", "unknown_share", "reason_1"]
    pd.testing.assert_frame_equal(found[same], expected[same], check_dtype=False)
    for name in ("probability", "effect_1"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5)
    assert pd.to_numeric(expected.price).equals(pd.to_numeric(found.price))


class Killed(BaseException):
    pass


def stop_at(monkeypatch, at):
    """Kills the scoring when it has scored so many chunks; returns what it has scored."""
    scored, score_rows = [], log_scoring._score_rows

    def counting(*arguments):
        if len(scored) == at:
            raise Killed
        scored.append(arguments)
        return score_rows(*arguments)

    monkeypatch.setattr(log_scoring, "_score_rows", counting)
    return scored


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_killed_anywhere_it_goes_on_to_the_very_file(
    model, data, log, tmp_path, monkeypatch, small_chunks, suffix
):
    whole = tmp_path / f"whole{suffix}"
    with monkeypatch.context() as patch:
        chunks = stop_at(patch, None)
        result = score(model, data, log, whole, background=2)
    for at in (0, 1, len(chunks) - 1):
        output = tmp_path / f"killed_{at}{suffix}"
        with monkeypatch.context() as patch, pytest.raises(Killed):
            stop_at(patch, at)
            score(model, data, log, output, background=2)
        assert not output.exists()
        with monkeypatch.context() as patch:
            rest = stop_at(patch, None)
            assert score(model, data, log, output, background=2) == result
        assert output.read_bytes() == whole.read_bytes()
        assert len(rest) == len(chunks) - at > 0
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk"):
        patch.setattr(Parts, "read", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        score(model, data, log, tmp_path / f"late{suffix}", background=2)
    assert score(model, data, log, tmp_path / f"late{suffix}", background=2) == result
    assert (tmp_path / f"late{suffix}").read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_parts_of_another_call_are_not_taken_up(model, data, log, tmp_path, monkeypatch):
    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Parts, "finish", kill)
        score(model, data, log, tmp_path / "scored.csv", reasons=0)
    for weight in model.weights:
        weight.assign(weight + 1)
    with pytest.raises(ValueError, match="differs in: model, reasons; remove the folder"):
        score(model, data, log, tmp_path / "scored.csv", reasons=1, background=1)
    write_log(log, rows=120, seed=2, label=False)
    with pytest.raises(ValueError, match="differs in: log, model; remove the folder"):
        score(model, data, log, tmp_path / "scored.csv", reasons=0)


def test_two_at_once(model, data, log, tmp_path):
    output = tmp_path / "scored.csv"
    with Parts.open(output, {}), pytest.raises(ValueError, match="another process is writing"):
        score(model, data, log, output)


def test_bad_rows_are_named(model, data, log, tmp_path, small_chunks):
    lines = log.read_text().splitlines()
    for line, text, message in [
        (101, "u1,n,maps,cheap,2024-01-01", "ads.csv:101: price is 'cheap'; expected a number"),
        (90, "u1,n,maps,inf,2024-01-01", "ads.csv:90: price is 'inf'; a number must be finite"),
        (70, "u1,n,maps,1", "ads.csv:70: expected 5 values, found 4"),
        (80, "u1,n,maps,1,soon", "ads.csv:80: time is 'soon'; expected a date"),
    ]:
        log.write_text("\n".join([*lines[: line - 1], text, *lines[line:]]))
        output = tmp_path / f"scored_{line}.csv"
        with pytest.raises(ValueError, match=message):
            score(model, data, log, output, reasons=0)
        assert not output.exists()


@pytest.mark.parametrize(
    ("output", "options", "error", "message"),
    [
        ("scored.json", {}, ValueError, "the output is .parquet or .csv"),
        ("there.csv", {}, FileExistsError, "exists; remove it"),
        ("scored.csv", {"background": 0}, ValueError, "call fit_effects, or give a background"),
    ],
)
def test_what_is_refused(model, data, log, tmp_path, output, options, error, message):
    (tmp_path / "there.csv").touch()
    with pytest.raises(error, match=message):
        score(model, data, log, tmp_path / output, **options)
    assert not list(tmp_path.glob(".*"))


def test_columns_that_are_missing_or_taken(model, data, log, tmp_path):
    raw = pd.read_csv(log)
    with pytest.raises(ValueError, match="the log has no column 'app'; it has user"):
        score(model, data, raw.drop(columns="app"), tmp_path / "scored.csv")
    with pytest.raises(ValueError, match="the log has a column 'probability'; rename it"):
        score(model, data, raw.assign(probability=1), tmp_path / "scored.csv")
    with pytest.raises(ValueError, match="the log has no rows"):
        score(model, data, raw[:0], tmp_path / "scored.csv")
    nested = raw.assign(note=[[1, 2]] * len(raw))
    with pytest.raises(ValueError, match="CSV cannot hold column 'note'"):
        score(model, data, nested, tmp_path / "scored.csv", reasons=0)
    assert not list(tmp_path.glob(".*"))
    score(model, data, nested, tmp_path / "scored.parquet", reasons=0)
    assert pq.read_table(tmp_path / "scored.parquet")["note"][5].as_py() == [1, 2]


def test_it_warns_of_fields_that_are_unknown(model, data, log, tmp_path):
    raw = pd.read_csv(log).assign(user="nobody")
    with pytest.warns(UserWarning, match="user 100%"):
        found = score(model, data, raw, tmp_path / "scored.csv", reasons=0)
    assert found["unknown"]["user"] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score(model, data, log, tmp_path / "other.csv", reasons=0)


def test_files_of_other_types_are_named(model, data, tmp_path, log):
    raw = pd.read_csv(log, dtype=str, keep_default_na=False)
    (tmp_path / "parts").mkdir()
    typed = raw.assign(price=1.0)
    typed.assign(note=1).to_parquet(tmp_path / "parts/1.parquet")
    typed.assign(note="x").to_parquet(tmp_path / "parts/2.parquet")
    with pytest.raises(ValueError, match=r"2\.parquet: not of the types of the first rows"):
        score(model, data, tmp_path / "parts", tmp_path / "scored.parquet", reasons=0)
    assert json.loads((tmp_path / ".scored.parquet.parts/job.json").read_text())
