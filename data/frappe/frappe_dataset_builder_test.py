import collections
import gzip
import random
import re

import numpy as np
import pytest

from interhat_tf.input_pipeline import catalog
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.training import metrics

from .frappe_dataset_builder import FIELDS, Builder, _draw_from_the_split, _draw_uniformly

SPLITS = ("train", "validation", "test")
NFM_FILES = [f"frappe.{split}.libfm" for split in SPLITS]
HEADER = "user\titem\tcnt\tdaytime\tweekday\tisweekend\thomework\tcost\tweather\tcountry\tcity"


def nfm_line(label, *indices):
    return " ".join([label, *(f"{index}:1" for index in indices)])


def nfm_lines(rows, seed):
    """Lines in which column c has the indices 10c … 10c + 4; test files also 10c + 5."""
    draw = random.Random(seed)
    values = 6 if seed == 2 else 5
    return [
        nfm_line(
            draw.choice(["-1", "1"]),
            *(10 * column + draw.randrange(values) for column in range(10)),
        )
        for _ in range(rows)
    ]


@pytest.fixture
def nfm_dir(tmp_path):
    folder = tmp_path / "nfm"
    folder.mkdir()
    for seed, (name, rows) in enumerate(zip(NFM_FILES, [300, 40, 50], strict=True)):
        (folder / name).write_text("\n".join(nfm_lines(rows, seed)) + "\n")
    return folder


def write_index_map(folder):
    lines = [
        f"{10 * column + value},{field},{field} {value}"
        for column, field in enumerate(FIELDS)
        for value in range(6)
    ]
    (folder / "index_map.csv").write_text("\n".join(["index,field,value", *lines]) + "\n")


def log_rows():
    draw = random.Random(0)
    return [
        [
            str(draw.randrange(12)),
            str(app := draw.randrange(30)),
            str(draw.randrange(1, 9)),
            draw.choice(["morning", "night"]),
            draw.choice(["sunday", "monday"]),
            "workday",
            "home",
            "paid" if app % 5 == 0 else "free",
            "sunny",
            draw.choice(["Spain", "United States"]),
            str(draw.randrange(4)),
        ]
        for _ in range(100)
    ]


@pytest.fixture
def log_dir(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    write_log(folder, log_rows())
    return folder


def write_log(folder, rows):
    (folder / "frappe.csv").write_text(
        "\n".join([HEADER, *("\t".join(row) for row in rows)]) + "\n"
    )


def prepare(config, raw_dir, data_dir):
    return catalog.prepare(Builder(config=config, data_dir=data_dir), str(raw_dir))


def read(dataset, split):
    """The rows of a split as tuples of raw values and the label; None is out of vocabulary."""
    ((inputs, labels),) = dataset.evaluation_batches(split, 10_000).as_numpy_iterator()
    vocabularies = [[None, *values] for values in dataset.vocabularies.values()]
    return [
        (*(values[i] for values, i in zip(vocabularies, ids, strict=True)), int(label))
        for ids, label in zip(inputs["categorical"], labels, strict=True)
    ]


def error_of(config, raw_dir, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        prepare(config, raw_dir, tmp_path / "prepared")
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "prepared").rglob("*.tfrecord*"))
    return str(error.value)


@pytest.mark.parametrize("with_map", [False, True])
def test_nfm_rows(nfm_dir, tmp_path, with_map):
    if with_map:
        write_index_map(nfm_dir)
    dataset = prepare("nfm", nfm_dir, tmp_path)
    assert dataset.schema.field_names == FIELDS
    assert dataset.schema.vocabulary_sizes == (6,) * 10  # index 5 is in the test file alone
    assert dataset.statistics["distinct_features"] == 60
    for split, name in zip(SPLITS, NFM_FILES, strict=True):
        expected = []
        for line in (nfm_dir / name).read_text().splitlines():
            label, *features = line.split()
            indices = [int(feature.removesuffix(":1")) for feature in features]
            names = [
                (f"{field} {index % 10}" if with_map else str(index)) if index % 10 < 5 else None
                for field, index in zip(FIELDS, indices, strict=True)
            ]
            expected.append((*names, int(label == "1")))
        assert collections.Counter(read(dataset, split)) == collections.Counter(expected)


def test_nfm_vocabulary_order(nfm_dir, tmp_path):
    lines = (nfm_dir / NFM_FILES[0]).read_text().splitlines()
    counts = collections.Counter(line.split()[2].removesuffix(":1") for line in lines)
    expected = sorted(counts, key=lambda value: (-counts[value], value))
    assert prepare("nfm", nfm_dir, tmp_path).vocabularies["item"] == expected


def test_nfm_labels_0_and_1(nfm_dir, tmp_path):
    minus = prepare("nfm", nfm_dir, tmp_path / "minus")
    for name in NFM_FILES:
        path = nfm_dir / name
        path.write_text(path.read_text().replace("-1 ", "0 "))
    assert read(prepare("nfm", nfm_dir, tmp_path / "zero"), "train") == read(minus, "train")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 0:1 10:1", "7: expected 11 values, found 3"),
        ("", "7: the line is empty; remove it"),
        ("2" + nfm_line("", *range(0, 100, 10)), "7: label is '2'; a label is 0 or 1"),
        (nfm_line("1", *range(0, 100, 10)) + " 7:1", "7: expected 11 values, found 12"),
        (nfm_line("1", "x", *range(10, 100, 10)), "7: user is 'x:1'; expected INDEX:1"),
        (nfm_line("1", "-3", *range(10, 100, 10)), "7: user is '-3:1'; expected INDEX:1"),
        (nfm_line("1", *range(0, 100, 10))[:-1] + "2", "7: city is '90:2'; expected INDEX:1"),
        (nfm_line("1", 0, 0, *range(20, 100, 10)), "7: item is index 0, which belongs to user"),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_nfm_bad_line(nfm_dir, tmp_path, line, message, last):
    path = nfm_dir / NFM_FILES[1]
    lines = path.read_text().splitlines()
    if last and line:  # an empty last line without an end is no line
        path.write_text("\n".join([*lines[:6], line]))
    else:
        path.write_text("\n".join([*lines[:6], line, *lines[6:]]) + "\n")
    assert error_of("nfm", nfm_dir, tmp_path).startswith(f"{path}:{message}")


def test_nfm_empty_file(nfm_dir, tmp_path):
    path = nfm_dir / NFM_FILES[2]
    path.write_text("")
    assert error_of("nfm", nfm_dir, tmp_path).startswith(f"{path}: the file is empty")


def test_nfm_missing_file(nfm_dir, tmp_path):
    path = nfm_dir / NFM_FILES[1]
    path.unlink()
    message = error_of("nfm", nfm_dir, tmp_path)
    assert message.startswith(f"{path} is missing: get it from github.com/hexiangnan/")
    assert "store it as frappe.validation.libfm" in message


@pytest.mark.parametrize("raw_dir", [None, "nowhere"])
def test_missing_folder(tmp_path, raw_dir):
    with pytest.raises(FileNotFoundError, match=r"frappe.train.libfm is missing: get it from"):
        prepared_dataset("frappe", tmp_path / "prepared", raw_dir and tmp_path / raw_dir)


def test_nfm_index_that_the_map_lacks(nfm_dir, tmp_path):
    write_index_map(nfm_dir)
    path = nfm_dir / NFM_FILES[0]
    path.write_text(path.read_text() + nfm_line("1", 9, *range(10, 100, 10)) + "\n")
    message = error_of("nfm", nfm_dir, tmp_path)
    assert message.startswith(f"{path}:301: user is index 9, which is not in index_map.csv")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3,user,again", "62: index 3 is listed twice"),
        ("99,colour,red", "62: field is 'colour'; the fields are user, item"),
        ("99,user", "62: expected 3 values, found 2"),
    ],
)
def test_bad_index_map(nfm_dir, tmp_path, line, message):
    write_index_map(nfm_dir)
    path = nfm_dir / "index_map.csv"
    path.write_text(path.read_text() + line)
    assert error_of("nfm", nfm_dir, tmp_path).startswith(f"{path}:{message}")


def test_usage_log_rows(log_dir, tmp_path):
    dataset = prepare("usage_log", log_dir, tmp_path)
    log = log_rows()
    used = {(row[0], row[1]) for row in log}
    costs = {row[1]: row[7] for row in log}
    assert [dataset.num_rows(split) for split in SPLITS] == [240, 30, 30]
    positives = collections.Counter()
    for split in SPLITS:
        contexts = collections.Counter()
        for user, item, *context, cost, weather, country, city, label in read(dataset, split):
            if None in (user, item, *context, weather, country, city):
                assert split != "train"
                continue
            assert cost == costs[item]
            assert ((user, item) in used) == label
            positives[user, item, *context, cost, weather, country, city] += label
            contexts[user, *context, weather, country, city] += 1 if label == 0 else -2
        if split == "train":  # each positive's two negatives are in its split and context
            assert set(contexts.values()) == {0}
    expected = collections.Counter((row[0], row[1], *row[3:]) for row in log)
    assert positives <= expected
    assert positives.total() >= 80


def test_negatives_are_uniform_and_differ():
    # User 0 used apps 0 to 5 of 10; user 1 makes the last ones known.
    users, items = np.repeat([0, 1], [3_000, 4]), np.append(np.arange(3_000) % 6, [6, 7, 8, 9])
    random = np.random.default_rng(0)
    negatives = _draw_uniformly(users, items, ["a", "b"], "log", random)[0][:3_000]
    assert (negatives[:, 0] != negatives[:, 1]).all()
    counts = np.bincount(negatives.ravel(), minlength=10)
    assert not counts[:6].any()
    assert (abs(counts[6:] - 1_500) < 120).all()


def test_usage_log_does_not_depend_on_the_order_of_the_file(log_dir, tmp_path):
    first = prepare("usage_log", log_dir, tmp_path / "first")
    rows = log_rows()
    random.Random(1).shuffle(rows)
    write_log(log_dir, rows)
    second = prepare("usage_log", log_dir, tmp_path / "second")
    for split in SPLITS:
        assert read(first, split) == read(second, split)


def test_usage_log_compressed(log_dir, tmp_path):
    first = prepare("usage_log", log_dir, tmp_path / "first")
    path = log_dir / "frappe.csv"
    (log_dir / "frappe.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert read(prepare("usage_log", log_dir, tmp_path / "second"), "test") == read(first, "test")


def test_usage_log_errors(log_dir, tmp_path):
    path = log_dir / "frappe.csv"
    text = path.read_text()
    path.write_text(text + "1\t2\t3")
    assert f"{path}:102: expected 11 values, found 3" in error_of("usage_log", log_dir, tmp_path)
    path.write_text(text.replace("cnt", "count"))
    assert f"{path}:1: the header must be user, item" in error_of("usage_log", log_dir, tmp_path)
    path.write_text(HEADER + "\n")
    assert f"{path}: the file has no rows" in error_of("usage_log", log_dir, tmp_path)
    everything = [["0", str(app), *log_rows()[0][2:]] for app in range(30)]
    write_log(log_dir, everything)
    assert f"{path}: user 0 has used all but 0" in error_of("usage_log", log_dir, tmp_path)
    path.unlink()
    (log_dir / "frappe.csv.gz").write_bytes(gzip.compress(text.encode())[:-30])
    assert "frappe.csv.gz: the gzip file is cut off or damaged" in error_of(
        "usage_log", log_dir, tmp_path
    )
    (log_dir / "frappe.csv.gz").unlink()
    (log_dir / "other").touch()
    message = error_of("usage_log", log_dir, tmp_path)
    assert "arXiv:1505.03014 and store it as frappe.csv, plain or compressed" in message


def larger_log():
    """A log of 3,000 rows of 40 users and 120 apps: four rows or so of each pair that is used."""
    draw = random.Random(0)
    used = [[app for app in range(120) if draw.random() < 0.6 / (1 + app / 20)] for _ in range(40)]
    contexts = [("morning", "sunday", "Spain"), ("night", "monday", "United States")]
    rows = []
    for _ in range(3_000):
        user = draw.randrange(40)
        app, (daytime, weekday, country) = draw.choice(used[user]), draw.choice(contexts)
        context = [daytime, weekday, "workday", "home", "free", "sunny", country, "0"]
        rows.append([str(user), str(app), "1", *context])
    return rows


@pytest.fixture(scope="module")
def prepared_logs(tmp_path_factory):
    """The larger log, prepared in both ways."""
    folder = tmp_path_factory.mktemp("logs")
    write_log(folder, larger_log())
    return {
        config: prepare(config, folder, folder / "prepared")
        for config in ("usage_log", "unseen_pairs")
    }


def pairs_of(dataset, split):
    """The pairs of a user and an app in a split, with their labels."""
    return [(row[0], row[1], row[-1]) for row in read(dataset, split)]


def test_a_pair_is_in_one_split_whether_it_was_used_or_not(prepared_logs):
    found = {split: pairs_of(prepared_logs["unseen_pairs"], split) for split in SPLITS}
    pairs = {split: {pair[:2] for pair in of_split} for split, of_split in found.items()}
    assert not pairs["train"] & pairs["test"] and not pairs["train"] & pairs["validation"]
    assert not pairs["validation"] & pairs["test"]
    used = {(row[0], row[1]) for row in larger_log()}
    for split, of_split in found.items():
        assert all(((user, app) in used) == label for user, app, label in of_split)
        clicks = sum(label for *_, label in of_split)
        assert len(of_split) == 3 * clicks
        assert 0.05 < clicks / 3_000 - (0.7 if split == "train" else 0) < 0.2


def test_the_negatives_of_a_row_share_its_user_and_context(prepared_logs):
    for split in SPLITS:
        balance = collections.Counter()
        for user, _, *context, label in read(prepared_logs["unseen_pairs"], split):
            balance[user, *context] += -2 if label else 1
        assert set(balance.values()) == {0}


def test_memory_of_pairs_knows_the_labels_of_the_usage_log_alone(prepared_logs):
    """What leaks where rows are split, and negatives are apps that the user never used."""

    def memory(dataset):
        positive = {pair[:2] for pair in pairs_of(dataset, "train") if pair[-1]}
        test = pairs_of(dataset, "test")
        seen = [float(pair[:2] in positive) for pair in test]
        return metrics.auc(np.array([label for *_, label in test]), np.array(seen))

    assert memory(prepared_logs["usage_log"]) > 0.9
    assert memory(prepared_logs["unseen_pairs"]) == 0.5


def test_apps_are_drawn_in_proportion_to_their_users():
    """Of 400 apps, app a has a % 4 + 1 users; one more user has a single app, in many rows."""
    apps = np.arange(400)
    of_users = [apps[apps % 4 > user] for user in range(3)] + [apps[:200], apps[200:]]
    users = np.repeat(np.arange(6), [*map(len, of_users), 5_000])
    items = np.concatenate([*of_users, np.full(5_000, 400)])
    names = [str(user) for user in range(6)]
    negatives, splits = _draw_from_the_split(users, items, names, "log", np.random.default_rng(1))
    assert (negatives[:, 0] != negatives[:, 1]).all()
    assert set(splits[users == 5]) == {0}
    first = negatives[users == 5, 0]
    candidates = np.unique(first)
    assert 300 < len(candidates) < 345
    weights = np.bincount(candidates % 4) * np.arange(1, 5)
    expected = 5_000 * weights / weights.sum()
    assert (abs(np.bincount(first % 4) - expected) < 4 * np.sqrt(expected)).all()


def test_a_user_without_unused_apps_in_a_split_is_named(log_dir, tmp_path):
    """Of a dozen users' 30 apps, a tenth has fewer than two that are left."""
    message = error_of("unseen_pairs", log_dir, tmp_path)
    assert re.search(r"user \d+ has used all but [01] of the apps that lie in (valid|te)", message)
