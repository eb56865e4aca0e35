import gzip
import json
import random

import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.input_pipeline.catalog import prepared_dataset

from .next_items import next_items

USERS, ITEMS = 30, 40


def raw_lines():
    """The lines of small files in the published form: reviews, products."""
    draw = random.Random(0)
    reviews = [
        {
            "reviewerID": f"A{user}",
            "asin": f"B{item:03}",
            "reviewerName": 'O\'Neil, "the" reviewer',
            "helpful": [0, 0],
            "reviewText": "Größer als gedacht\u2028and fine",
            "overall": 5.0,
            "unixReviewTime": 1_370_131_200 + 86_400 * day,
            "reviewTime": "06 2, 2013",
        }
        for user in range(USERS)
        for day, item in enumerate(draw.sample(range(ITEMS), 5 + user % 4))
    ]
    draw.shuffle(reviews)
    products = [
        {"asin": f"B{item:03}", "categories": [["All"], ["Electronics", f"kind {item % 3}"]]}
        for item in range(1, 2 * ITEMS)  # the first product is not described
    ]
    products[3]["categories"] = [["Electronics", "men's"]]
    return {
        "reviews_Electronics_5": [json.dumps(review) for review in reviews],
        "meta_Electronics": [repr(product) for product in products],
    }


def write_amazon(folder, lines=None):
    """Writes the files; returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, of_file in (lines or raw_lines()).items():
        (folder / f"{name}.json.gz").write_bytes(gzip.compress("\n".join(of_file).encode()))
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("amazon")
    return prepared_dataset("amazon_reviews", folder / "prepared", write_amazon(folder / "raw"))


def records(data, split):
    """Returns a split's records as dictionaries of text, with their label."""
    found = []
    for inputs, labels in data.evaluation_batches(split, 64).as_numpy_iterator():
        for values, label in zip(data.decode(inputs), labels, strict=True):
            found.append((dict(zip(data.schema.field_names, values, strict=True)), label))
    return found


def events():
    """Each user's products in time."""
    reviews = map(json.loads, raw_lines()["reviews_Electronics_5"])
    found = {}
    for review in sorted(reviews, key=lambda review: review["unixReviewTime"]):
        found.setdefault(review["reviewerID"], []).append(review["asin"])
    return found


def test_the_last_reviews_are_tested_and_histories_hold_what_was_before(data):
    of_users, longest = events(), data.schema.sequences[0].max_length
    assert [field.shares for field in data.schema.sequences] == ["item", "category"]
    for split, from_last in (("test", 1), ("validation", 2)):
        positives = [record for record, label in records(data, split) if label == 1]
        assert len(positives) == USERS
        for record in positives:
            items = of_users[record["user"]]
            assert record["item"] in (items[-from_last], "(other)")
            history, before = record["history"].split(", "), items[:-from_last][-longest:]
            assert all(a in (b, "(other)") for a, b in zip(history, before, strict=True))
            assert history.count("(other)") < len(history) / 2


def test_negatives_are_products_that_the_user_never_reviews(data):
    of_users = events()
    found = [row for split in ("train", "validation", "test") for row in records(data, split)]
    assert len(found) == 2 * sum(len(items) - 1 for items in of_users.values())
    for record, label in found:
        if record["item"] != "(other)":
            assert (record["item"] in of_users[record["user"]]) == (label == 1)


def test_a_product_has_its_last_category_or_none(data):
    for record, _ in records(data, "train"):
        if record["item"] != "(other)":
            number = int(record["item"][1:])
            expected = {0: "(missing)", 4: "men's"}.get(number, f"kind {number % 3}")
            assert record["category"] == expected


def test_events_at_once_are_in_no_history_of_each_other():
    samples = next_items(np.zeros(4, int), np.array([5, 1, 2, 3]), np.array([1, 1, 2, 2]))
    taken = samples.labels == 1
    assert samples.items[taken].tolist() == [2, 3]
    histories = samples.histories[taken]
    names = histories.lists_of(pa.array([f"item {i}" for i in range(6)]))
    assert names.to_pylist() == 2 * [["item 5", "item 1"]]
    assert samples.splits[taken].tolist() == [1, 2]
    assert not set(samples.items[~taken]) & {5, 1, 2, 3}


def test_a_user_who_has_taken_every_item():
    with pytest.raises(ValueError, match="a user has taken all 2 items"):
        next_items(np.zeros(2, int), np.arange(2), np.arange(2))


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("reviews_Electronics_5", "{", r"reviews_Electronics_5\.json\.gz:3: b'\{\\n' is not a rec"),
        ("reviews_Electronics_5", "[1]", r":3: .* is not a record of names and values"),
        ("reviews_Electronics_5", '{"asin": "B"}', r":3: the review has no 'reviewerID'"),
        (
            "reviews_Electronics_5",
            '{"asin": "B", "reviewerID": "", "unixReviewTime": 3}',
            r":3: reviewerID and asin are '' and 'B'; give texts",
        ),
        (
            "reviews_Electronics_5",
            '{"asin": "B", "reviewerID": "A", "unixReviewTime": "noon"}',
            r":3: unixReviewTime is 'noon'; it is whole seconds",
        ),
        ("meta_Electronics", "{'asin': 'B001', 'categories': 'x'}", r":3: categories are 'x'"),
        ("meta_Electronics", "{'title': 'x'}", r":3: the product has no 'asin'"),
        ("meta_Electronics", "__import__('os')", r":3: .* is not a record: malformed node"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, name, line, message):
    lines = raw_lines()
    lines[name][2] = line
    raw = write_amazon(tmp_path / "raw", lines)
    with pytest.raises(ValueError, match=message):
        prepared_dataset("amazon_reviews", tmp_path / "prepared", raw)


def test_a_missing_file_is_named(tmp_path):
    raw = write_amazon(tmp_path / "raw")
    (raw / "meta_Electronics.json.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"meta_Electronics\.json is missing: get it from"):
        prepared_dataset("amazon_reviews", tmp_path / "prepared", raw)
