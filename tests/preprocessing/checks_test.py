"""Tests of the checks of raw values."""

import pyarrow as pa
import pytest

from interhat_tf.preprocessing.checks import binary_labels
from interhat_tf.preprocessing.text_chunks import text_chunks
from interhat_tf.preprocessing.text_parsing import parse
from tests.preprocessing.text_files import write


def test_labels(tmp_path):
    path = write(tmp_path / "log.txt", "\n".join(["1", "0", "-1"] * 10 + ["2", "1"]))
    found = list(text_chunks([path], chunk_bytes=20))
    columns = {"click": pa.string()}
    labels = [parse(chunk, columns, delimiter="\t")["click"] for chunk in found]
    assert binary_labels(labels[0], found[0]).tolist()[:3] == [1, 0, 0]
    with pytest.raises(ValueError, match=r"log.txt:31: click is '2'; a label is 0 or 1"):
        for chunk, column in zip(found, labels, strict=True):
            binary_labels(column, chunk, "click")
