"""Tests of generated click logs: their format, their truth, and that none is half written."""

import collections
import csv
import gzip
import itertools
import math
import re

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from experiments.generated_logs import generator
from experiments.generated_logs.fields import FORMATS
from experiments.generated_logs.generator import BLOCK_ROWS, generate, read_truth

ROWS = 3 * BLOCK_ROWS + 1_000
CRITEO_NAMES = [
    "label",
    *(f"I{i}" for i in range(1, 14)),
    *(f"C{i}" for i in range(1, 27)),
]
AVAZU_HEADER = (
    "id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,"
    "app_category,device_id,device_ip,device_model,device_type,device_conn_type,"
    "C14,C15,C16,C17,C18,C19,C20,C21"
)
# Share of rows without the value in the first 10,000 rows of the real logs.
MISSING = {
    "criteo": {"I1": 0.448, "I2": 0, "I12": 0.774, "C1": 0, "C3": 0.036, "C6": 0.133, "C22": 0.818},
    "avazu": {"C20": 0.623, "C21": 0, "device_model": 0},
}
BEST = {"criteo": (0.256, 0.80), "avazu": (0.170, 0.78)}


class Log:
    """A generated log, read back with nothing but Python's csv module."""

    def __init__(self, path, format):
        self.truth = generate(path, format, ROWS, seed=1)
        self.path, self.format, self.text = path, format, path.read_bytes()
        lines = self.text.decode("ascii").removesuffix("\n").split("\n")
        names, separator = CRITEO_NAMES, "\t"
        if format == "avazu":
            names, separator = lines.pop(0).split(","), ","
        self.rows = list(csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE))
        self.columns = dict(zip(names, zip(*self.rows, strict=True), strict=True))
        self.clicks = np.array(self.columns[names[format == "avazu"]]) == "1"

    def levels(self, term, name):
        """The level of the field's value in each row."""
        return np.array([term["levels"][name][text] for text in self.columns[name]])

    def products(self):
        """The terms' products in each row: (rows, terms)."""
        return np.stack(
            [
                np.prod([self.levels(term, name) for name in term["fields"]], axis=0)
                for term in self.truth["terms"]
            ],
            axis=1,
        )


@pytest.fixture(scope="module", params=["criteo", "avazu"])
def log(request, tmp_path_factory):
    return Log(tmp_path_factory.mktemp("log") / "train.txt", request.param)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The bytes of a small log, and its truth."""
    path = tmp_path_factory.mktemp("small") / "log"
    truth = generate(path, "criteo", 2_000)
    return path.read_bytes(), truth


def test_criteo_lines_are_those_of_train_txt(tmp_path):
    generate(tmp_path / "train.txt", "criteo", 2_000)
    text = (tmp_path / "train.txt").read_bytes().decode("ascii")
    lines = text.split("\n")
    assert lines.pop() == "" and len(lines) == 2_000
    number, second, code = r"\d{0,8}", r"(?:\d{1,8}|-[123])", r"(?:[0-9a-f]{8})?"
    line = re.compile("\t".join(["[01]", number, second, *[number] * 11, *[code] * 26]))
    assert all(line.fullmatch(text) for text in lines)


def test_avazu_lines_are_those_of_train_csv(tmp_path):
    generate(tmp_path / "train.csv", "avazu", 2_000)
    header, *lines = (tmp_path / "train.csv").read_bytes().decode("ascii").split("\n")
    assert header == AVAZU_HEADER
    assert lines.pop() == "" and len(lines) == 2_000
    number, code = r"(?:0|[1-9]\d{0,5})", "[0-9a-f]{8}"
    parts = [r"[1-9]\d{19}", "[01]", r"1410(?:2\d|30)(?:[01]\d|2[0-3])", number, number]
    parts += [code] * 9 + [number] * 8 + [rf"(?:-1|{number})", number]
    line = re.compile(",".join(parts))
    assert all(line.fullmatch(text) for text in lines)


def test_integers_have_no_leading_zeros(log):
    for column in FORMATS[log.format].columns:
        if column.first is not None:
            texts = set(log.columns[column.name]) - {""}
            assert all(str(int(text)) == text for text in texts), column.name


def test_avazu_ids_are_unique_and_hours_rise_through_ten_days(tmp_path):
    generate(tmp_path / "train.csv", "avazu", ROWS)
    rows = [line.split(",", 3) for line in (tmp_path / "train.csv").read_text().split("\n")[1:-1]]
    assert len({row[0] for row in rows}) == ROWS
    assert max(int(row[0]) for row in rows) < 2**64
    hours = [row[2] for row in rows]
    assert hours == sorted(hours)
    assert (hours[0], hours[-1]) == ("14102100", "14103023")
    counts = collections.Counter(hours)
    assert len(counts) == 240
    assert max(counts.values()) - min(counts.values()) <= 1


def test_values_are_missing_as_often_as_in_the_real_logs(log):
    nothing = {"criteo": "", "avazu": "-1"}[log.format]
    for name, share in MISSING[log.format].items():
        assert np.mean(np.array(log.columns[name]) == nothing) == pytest.approx(share, abs=0.01)


def test_only_i2_is_negative(log):
    if log.format == "criteo":
        negative = {
            name: {text for text in set(log.columns[name]) if text.startswith("-")}
            for name in CRITEO_NAMES
        }
        assert {"-1", "-2"} <= negative.pop("I2") <= {"-1", "-2", "-3"}
        assert not any(negative.values())


def test_most_avazu_devices_share_one_id(log):
    if log.format == "avazu":
        (text, count), (_, second) = collections.Counter(log.columns["device_id"]).most_common(2)
        assert count / ROWS == pytest.approx(0.872, abs=0.01)
        assert second / ROWS < 0.01
        assert text not in log.columns["app_id"]


def test_values_are_as_many_as_the_law_says(log):
    chosen = FORMATS[log.format]
    for column in chosen.columns:
        special = {text for text, _ in column.special}
        if None in special:
            special = {collections.Counter(log.columns[column.name]).most_common(1)[0][0]}
        seen = len(set(log.columns[column.name]) - special)
        expected = column.expected_distinct(ROWS, chosen.num_values[column.name])
        assert seen == pytest.approx(expected, abs=max(2.5, 5 * math.sqrt(expected))), column.name


def test_truth_counts_the_rows_of_the_file(log):
    truth = log.truth
    products = [tuple(row) for row in log.products().tolist()]
    rows = collections.Counter(products)
    clicks = collections.Counter(itertools.compress(products, log.clicks))
    assert {tuple(cell["products"]): (cell["rows"], cell["clicks"]) for cell in truth["cells"]} == {
        product: (count, clicks[product]) for product, count in rows.items()
    }
    assert truth["click_rate"] == log.clicks.mean()
    assert (truth["format"], truth["rows"], truth["seed"]) == (log.format, ROWS, 1)


def test_rows_click_as_the_truth_says(log):
    strengths = [term["strength"] for term in log.truth["terms"]]
    for cell in log.truth["cells"]:
        logit = log.truth["intercept"] + np.dot(cell["products"], strengths)
        assert cell["logit"] == pytest.approx(logit)
        probability = 1 / (1 + math.exp(-logit))
        deviation = math.sqrt(cell["rows"] * probability * (1 - probability))
        assert abs(cell["clicks"] - cell["rows"] * probability) < 4.5 * deviation + 1


def test_best_auc_and_logloss_are_scikit_learns(log):
    strengths = [term["strength"] for term in log.truth["terms"]]
    probability = 1 / (1 + np.exp(-log.truth["intercept"] - log.products() @ strengths))
    best = log.truth["best"]
    assert best["auc"] == pytest.approx(roc_auc_score(log.clicks, probability.round(12)), abs=1e-12)
    assert best["logloss"] == pytest.approx(log_loss(log.clicks, probability), abs=1e-12)
    for term, product in zip(log.truth["terms"], log.products().T, strict=True):
        assert term["auc"] == pytest.approx(roc_auc_score(log.clicks, product), abs=1e-12)


def test_click_rate_best_auc_and_terms_are_as_planned(log):
    click_rate, auc = BEST[log.format]
    assert log.truth["click_rate"] == pytest.approx(click_rate, abs=0.01)
    assert log.truth["best"]["auc"] == pytest.approx(auc, abs=0.01)
    assert [len(term["fields"]) for term in log.truth["terms"]] == [1, 2, 3]
    aucs = [term["auc"] for term in log.truth["terms"]]
    assert min(aucs) > 0.63 and max(aucs) - min(aucs) < 0.02
    fields = [name for term in log.truth["terms"] for name in term["fields"]]
    assert len(set(fields)) == 6
    dropped = {"C3", "C4", "C12", "C16", "C21"} if log.format == "criteo" else {"device_id"}
    assert not dropped & set(fields)


def test_terms_make_users_click(log):
    def spread(values):
        rates = [log.clicks[values == value].mean() for value in np.unique(values)]
        return max(rates) - min(rates)

    first, *others = log.truth["terms"]
    assert spread(log.levels(first, first["fields"][0])) > 0.15
    for term in others:
        levels = [log.levels(term, name) for name in term["fields"]]
        everyone = np.prod(levels, axis=0)
        assert set(everyone) == {0, 1}
        # No member tells as much of the click as all of them do.
        assert max(map(spread, levels)) < 0.75 * spread(everyone)
        share = 1 / 2 if len(levels) == 2 else 2 / 3
        for level in levels:
            # Groups are about equally frequent, as far as frequent values let them be.
            assert abs(level.mean() - share) < 0.2


def test_numbers_make_users_click_but_not_as_they_rise(tmp_path):
    path = tmp_path / "log"
    truth = generate(path, "criteo_numbers", ROWS, seed=1)
    assert truth["best"]["auc"] == pytest.approx(0.81, abs=0.01)
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    clicks = np.array([int(line[0]) for line in lines])
    for name in ("I5", "I13", "I6", "I9"):
        texts = [line[int(name[1:])] for line in lines]
        numbers = np.array([int(text) if text else -1 for text in texts])
        assert 0.42 < roc_auc_score(clicks, numbers) < 0.58, name
        (levels,) = (t["levels"][name] for t in truth["terms"] if name in t["fields"])
        of_rows = np.array([levels[text] for text in texts])[np.argsort(numbers, kind="stable")]
        changes = np.flatnonzero(np.diff(of_rows))
        assert 3 <= len(changes) <= 5, "levels are not those of intervals"


def test_the_log_depends_on_its_seed_alone(small, tmp_path):
    text, truth = small
    for name, workers in (("one", 1), ("four", 4)):
        assert generate(tmp_path / name, "criteo", 2_000, workers=workers) == truth
        assert (tmp_path / name).read_bytes() == text
    generate(tmp_path / "other", "criteo", 2_000, seed=1)
    assert (tmp_path / "other").read_bytes() != text


def test_many_blocks_do_not_depend_on_workers(log, tmp_path):
    truth = generate(tmp_path / "again", log.format, ROWS, seed=1, workers=3)
    assert (tmp_path / "again").read_bytes() == log.text
    assert truth == log.truth == read_truth(tmp_path / "again")


def test_blocks_differ(log):
    assert len(set(map(tuple, log.rows))) == ROWS


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_logs_hold_the_same(small, tmp_path, suffix):
    text, truth = small
    path = tmp_path / f"train.txt{suffix}"
    assert generate(path, "criteo", 2_000) == truth == read_truth(path)
    assert path.stat().st_size < 0.7 * len(text)
    with pa.input_stream(path) as stream:
        assert stream.read() == text
    if suffix == ".gz":
        assert gzip.decompress(path.read_bytes()) == text
    first = path.read_bytes()
    generate(path, "criteo", 2_000, overwrite=True)
    assert path.read_bytes() == first


@pytest.mark.parametrize("name", ["train.txt", "train.txt.gz"])
def test_a_failed_run_leaves_nothing_and_a_killed_one_no_finished_name(tmp_path, monkeypatch, name):
    make = generator._block
    seen = []

    def failing(format, rows, seed, start):
        # What a kill would leave at this moment.
        seen.extend(path.name for path in tmp_path.iterdir())
        if start >= 2 * BLOCK_ROWS:
            raise OSError("no space left on device")
        return make(format, rows, seed, start)

    monkeypatch.setattr(generator, "_block", failing)
    with pytest.raises(OSError, match="no space left"):
        generate(tmp_path / name, "criteo", ROWS)
    assert seen and all(name.startswith(".") for name in seen)
    assert list(tmp_path.iterdir()) == []


def test_an_output_is_replaced_only_on_request(tmp_path, monkeypatch):
    path = tmp_path / "train.txt"
    generate(path, "criteo", 1_000)
    before = path.read_bytes(), read_truth(path)
    with pytest.raises(FileExistsError, match="there already"):
        generate(path, "criteo", 1_000, seed=1)
    assert (path.read_bytes(), read_truth(path)) == before
    with monkeypatch.context() as patch:
        patch.setattr(generator, "_block", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            generate(path, "criteo", 1_000, seed=1, overwrite=True)
    assert (path.read_bytes(), read_truth(path)) == before
    assert generate(path, "criteo", 1_000, seed=1, overwrite=True) == read_truth(path)
    assert path.read_bytes() != before[0]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"format": "movielens"}, ValueError, "'movielens' is none of criteo, avazu"),
        ({"rows": 0}, ValueError, "rows has to be 1 or more, not 0"),
        ({"seed": -1}, ValueError, "seed has to be 0 or more"),
        ({"workers": 0}, ValueError, "workers has to be 1 or more"),
        ({"rows": 1}, ValueError, "write more rows"),
        ({"path": "missing/log"}, FileNotFoundError, "no folder '.*missing'"),
        ({"path": "."}, FileExistsError, "there already"),
    ],
)
def test_wrong_arguments_are_errors_and_nothing_is_written(tmp_path, change, error, message):
    arguments = {"path": "log", "format": "criteo", "rows": 1_000, **change}
    arguments["path"] = tmp_path / arguments["path"]
    with pytest.raises(error, match=message):
        generate(**arguments)
    assert list(tmp_path.iterdir()) == []
