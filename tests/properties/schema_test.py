"""What a schema lets through, held against a look at each value."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from interhat_tf import Field, Schema
from interhat_tf.errors import DataError

sizes = st.lists(st.integers(1, 5), max_size=4)
may_be_missing = st.lists(st.booleans(), max_size=3)
odd = st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -1e39])


@given(data=st.data(), sizes=sizes, may_be_missing=may_be_missing)
def test_a_schema_finds_the_first_wrong_value(data, sizes, may_be_missing):
    if not sizes and not may_be_missing:
        sizes = [3]
    schema = Schema(
        [Field(f"c{i}", "categorical", size) for i, size in enumerate(sizes)]
        + [Field(f"n{i}", "numerical", may_be_missing=m) for i, m in enumerate(may_be_missing)]
    )
    assert Schema.from_dict(schema.to_dict()) == schema
    rows = data.draw(st.integers(1, 4))
    number = st.floats(-1e30, 1e30) | odd if data.draw(st.booleans()) else st.floats(-1e30, 1e30)
    spread = data.draw(st.integers(0, 2))
    ids = [[data.draw(st.integers(-spread, s - 1 + spread)) for s in sizes] for _ in range(rows)]
    numbers = [[data.draw(number) for _ in may_be_missing] for _ in range(rows)]
    dtype = data.draw(st.sampled_from(["int8", "int32", "int64"]))
    inputs = {}
    if sizes:
        inputs["categorical"] = np.array(ids, dtype)
    if may_be_missing:
        inputs["numerical"] = np.array(numbers, "float64")
    wrong = [
        (f"c{i}", row)
        for row in range(rows)
        for i, size in enumerate(sizes)
        if not 0 <= ids[row][i] < size
    ]
    wrong += [
        (f"n{i}", row)
        for row in range(rows)
        for i, missing in enumerate(may_be_missing)
        if not (abs(numbers[row][i]) < 3.4e38 or (missing and math.isnan(numbers[row][i])))
    ]
    try:
        schema.check(inputs)
    except DataError as error:
        name, row = wrong[0]
        assert f"field {name!r}, row {row}: " in str(error)
    else:
        assert not wrong
