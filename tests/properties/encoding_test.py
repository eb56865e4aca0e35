"""Vocabularies and encodings, held against plain dictionaries."""

import collections
import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from interhat_tf.preprocessing.encoding import Encoding, encode_rows
from interhat_tf.preprocessing.fields import Categorical, Numerical
from interhat_tf.preprocessing.vocabulary import CountStore, count_rows
from tests.preprocessing.logs import TEST, TRAIN, VALIDATION, make_rows

values = st.none() | st.text("abcé𝄞0 ", max_size=2)
rows = st.tuples(values, values, st.none() | st.floats(-1e6, 1e6), st.sampled_from([0, 0, 0, 1, 2]))


@given(
    rows=st.lists(rows, min_size=1, max_size=60),
    ends=st.sets(st.integers(1, 59)),
    min_count=st.integers(1, 4),
)
def test_ids_are_those_of_a_dictionary(rows, ends, min_count):
    """Whatever the chunks that the rows come in."""
    assert (TRAIN, VALIDATION, TEST) == (0, 1, 2)
    fields = [Categorical("app", min_count), Categorical("city"), Numerical("price")]
    store = CountStore(fields, None)
    borders = [0, *sorted(end for end in ends if end < len(rows)), len(rows)]
    for start, end in itertools.pairwise(borders):
        store.add(count_rows(_chunk(rows[start:end]), fields))
    encoding = Encoding.fit(fields, store.value_counts(), store.totals.ranges)
    encoding = Encoding.from_dict(encoding.to_dict())
    encoded = encode_rows(_chunk(rows), encoding)

    for column, least in enumerate((min_count, 1)):
        counts = collections.Counter(row[column] or "" for row in rows if row[3] == TRAIN)
        kept = [value for value, count in counts.items() if count >= least]
        kept.sort(key=lambda value: (-counts[value], value.encode()))
        ids = {value: number for number, value in enumerate(kept, start=1)}
        expected = [ids.get(row[column] or "", 0) for row in rows]
        np.testing.assert_array_equal(encoded["categorical"][:, column], expected)
    _check_numbers(encoded["numerical"][:, 0], rows)


def _check_numbers(found, rows):
    """What training rows span is 0 to 1; what is beyond it is cut off, what is missing is 0."""
    known = [row[2] for row in rows if row[3] == TRAIN and row[2] is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    for number, row in zip(found, rows, strict=True):
        value = low if row[2] is None else min(max(row[2], low), high)
        expected = (value - low) / (high - low) if high > low else 0.0
        assert abs(number - expected) < 1e-5


def _chunk(rows):
    app, city, price, splits = zip(*rows, strict=True)
    columns = {"app": list(app), "city": list(city), "price": list(price)}
    return make_rows(columns, np.array(splits))
