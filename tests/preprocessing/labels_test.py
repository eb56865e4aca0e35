"""Tests of which column is the label, and which of its values is the click."""

import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.preprocessing.labels import LABELS, Label, find_label_values
from interhat_tf.preprocessing.text_chunks import TextChunk

CHUNK = TextChunk("log.csv", 2, 0, rows=4, offset=0, length=0)


@pytest.mark.parametrize(("negative", "positive"), LABELS)
def test_plain_labels_need_no_argument(negative, positive):
    texts = pa.array([negative.upper(), f" {positive} ", positive, negative])
    label = find_label_values(texts, "x", None)
    assert label == Label("x", negative, positive)
    labels = label.read(texts, CHUNK)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("column", "positive", "expected"),
    [
        (pa.array([0.0, 1.0, None]), None, ("0", "1")),
        (pa.array([True, False]), None, ("false", "true")),
        (pa.array([2, 1, 2]), 2, ("1", "2")),
        (pa.array([True, False]), False, ("true", "false")),
        (pa.array(["1.00", "0.0"]), None, ("0", "1")),
        (pa.array(["Buy", "View", "VIEW"]), "Buy", ("view", "buy")),
        (pa.array(["0", "0"]), None, ("0", "1")),  # the clicks come later
        (pa.array(["0", "1", "1", "-1"]), None, ("0", "1")),  # -1 is wrong, its line will be named
    ],
)
def test_the_two_values(column, positive, expected):
    label = find_label_values(column, "x", positive)
    assert (label.negative, label.positive) == expected


@pytest.mark.parametrize(
    ("values", "positive", "message"),
    [
        (["a", "b"], None, "label 'x' has the values 'a', 'b'; name the click with positive="),
        (["3", "4", "5"], None, "label 'x' has the values '3', '4', '5'; a label has two"),
        ([""], None, "label 'x' has the values of no row; a label has two"),
        (["a", "b", "c"], "a", "label 'x' has the values 'a', 'b', 'c'; beside the positive 'a'"),
        (["a", "a"], "a", "label 'x' has the values 'a'; beside the positive 'a' a label has one"),
        (list("abcdefgh"), None, "label 'x' has the values 'a', 'b', 'c', 'd', 'e', …; a label"),
    ],
)
def test_labels_that_are_not_two(values, positive, message):
    with pytest.raises(ValueError) as error:
        find_label_values(pa.array(values), "x", positive)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("wrong", ["", "-1", "2", "10", "yes", None])
def test_another_value_names_its_line(wrong):
    message = rf"^log\.csv:4: click is {wrong!r}; a label is '0' or '1'$"
    with pytest.raises(ValueError, match=message):
        Label("click", "0", "1").read(pa.array(["1", "0", wrong, "2"]), CHUNK)
