import numpy as np
import pytest

from experiments.speed.paper_sizes import SIZES, batches_of, schema_of


@pytest.mark.parametrize(("name", "fields"), [("criteo", 36), ("avazu", 21)])
def test_the_sizes_are_the_papers(name, fields):
    schema = schema_of(SIZES[name])
    assert len(schema.fields) == fields
    assert sum(schema.vocabulary_sizes) == {"criteo": 605_700, "avazu": 23_800}[name]
    assert min(schema.vocabulary_sizes) >= 2


def test_an_epoch_is_the_papers_training_split():
    # Eight of ten of Table 1's records: 13.8 million, 12.1 million, 288,609.
    rows = {name: size.epoch_rows for name, size in SIZES.items()}
    assert rows == {"criteo": 11_040_000, "avazu": 9_680_000, "frappe": 230_887}
    assert (SIZES["criteo"].categories, SIZES["criteo"].numbers) == (22, 14)
    assert (SIZES["frappe"].categories, SIZES["frappe"].features) == (10, 5_382)


def test_batches_follow_the_schema_and_are_skewed():
    schema = schema_of(SIZES["avazu"])
    batches = list(batches_of(schema, 500, batches=2).take(4).as_numpy_iterator())
    for inputs, labels in batches:
        schema.check(inputs)
        assert set(labels) == {0.0, 1.0}
    for inputs, other in zip(batches[0], batches[2], strict=True):
        np.testing.assert_equal(inputs, other)  # the two batches come again
    largest = batches[0][0]["categorical"][:, -1]
    assert np.median(largest) < schema.vocabulary_sizes[-1] / 20
