"""CSV and Parquet logs, as pandas writes and reads them."""

import csv
import io
import tempfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interhat_tf import prepare_click_log
from interhat_tf.preprocessing.text_chunks import text_chunks
from interhat_tf.preprocessing.text_parsing import parse
from tests.properties import some

# Of what is special in CSV, in Unicode and in spaces; no carriage return, no null byte.
LETTERS = "ab ,;\"'\n\t#\\1.é東\u200b\U0001d11e"
texts = st.text(LETTERS, max_size=6)
numbers = st.floats(-1e6, 1e6, width=32) | st.just(None)


@st.composite
def frames(draw):
    """Rows of a log: click, two texts, a whole number and a number, which may be missing."""
    rows = draw(st.integers(12, 40))

    def column(values):
        return draw(st.lists(values, min_size=rows, max_size=rows))

    return pd.DataFrame(
        {
            "click": [row % 2 for row in range(rows)],
            "city": column(texts),
            "app": column(st.sampled_from(["maps", "mail", "", "chat "])),
            "user": column(st.integers(0, 20)),
            "price": pd.array(column(numbers), "Float64"),
        }
    )


@given(
    rows=st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=30),
    chunk_bytes=st.integers(1, 60),
    delimiter=st.sampled_from(",;\t"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_text_is_read_as_pandas_does(rows, chunk_bytes, delimiter, line_end, quoting):
    """Wherever a chunk ends: in quotes, behind them, at a line's end."""
    names = ["one", "two", "three"]
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerows([names, *rows])
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as log:
        log.write(file.getvalue())
        log.flush()
        how = {"delimiter": delimiter, "quoting": True}
        chunks = text_chunks([log.name], header=names, chunk_bytes=chunk_bytes, **how)
        tables = [parse(chunk, dict.fromkeys(names, pa.string()), **how) for chunk in chunks]
        expected = pd.read_csv(log.name, sep=delimiter, dtype=str, keep_default_na=False)
    found = pa.concat_tables(tables).to_pandas()
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


@pytest.mark.parametrize("form", ["csv", "parquet"])
@some(0.3)
@given(frame=frames())
def test_a_set_holds_what_pandas_reads(form, frame):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/log.{form}"
        if form == "csv":
            frame.to_csv(path, index=False, lineterminator="\n")
            frame = pd.read_csv(path, dtype={"city": str, "app": str}, keep_default_na=False)
            frame["price"] = pd.to_numeric(frame["price"].replace("", None))
        else:
            frame.to_parquet(path, index=False, row_group_size=7)
            frame = pd.read_parquet(path)
        fields = {"categorical": ["city", "app", "user"], "numerical": "price"}
        options = {"name": "log", "data_dir": folder, "split": "position", "scaling": "min-max"}
        data = prepare_click_log(path, **fields, **options)
        train = frame[: len(frame) * 8 // 10]
        ((inputs, labels),) = data.evaluation_batches("train", 100).as_numpy_iterator()
    found = sorted(zip(labels.astype(int), *data.decode(inputs).T[:3], strict=True))
    texts = [train[name].astype(str).replace("", "(missing)") for name in fields["categorical"]]
    assert found == sorted(zip(train["click"], *texts, strict=True))
    # Numbers lie between the smallest and the largest; rows are in another order.
    prices = train["price"].astype(float)
    low, high = prices.min(), prices.max()
    scaled = (prices - low) / (high - low) if high > low else prices * 0
    np.testing.assert_allclose(
        np.sort(inputs["numerical"][:, 0]), np.sort(scaled.to_numpy()), atol=1e-5
    )
