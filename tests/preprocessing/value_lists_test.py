import numpy as np
import pyarrow as pa
import pytest

from interhat_tf.preprocessing.column_forms import (
    NULL_VALUES,
    TEXT_SEQUENCE,
    TEXTS,
    WHOLE_SEQUENCE,
    WHOLES,
    read_form,
)
from interhat_tf.preprocessing.kinds import form_of
from interhat_tf.preprocessing.value_lists import separator_of

LISTS = [["Comedy", "War"], [], None, ["", "Drama", None], ["War"]]
FOUND = [["Comedy", "War"], [""], [""], ["Drama"], ["War"]]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(LISTS),
        pa.array(LISTS, pa.large_list(pa.large_string())),
        pa.array([[], *LISTS, ["Horror"]]).slice(1, 5),
        pa.chunked_array([pa.array(LISTS[:2]), pa.array(LISTS[2:])]),
        pa.array(LISTS, pa.list_(pa.dictionary(pa.int8(), pa.string()))),
    ],
)
def test_lists_of_any_type_are_read(column):
    found, right = read_form(column, TEXTS)
    assert found.to_pylist() == FOUND
    assert right.all()


def test_a_row_of_a_sequence_has_no_missing_value():
    for column in (pa.array(LISTS), pa.array(LISTS, pa.large_list(pa.large_string()))):
        found, right = read_form(column, TEXT_SEQUENCE)
        assert found.to_pylist() == [["Comedy", "War"], [], [], ["Drama"], ["War"]]
        assert right.all()
    texts = pa.array(["7 | 8.0", "", None, "|NA"])
    found, right = read_form(texts, WHOLE_SEQUENCE, NULL_VALUES, "|")
    assert found.to_pylist() == [["7", "8"], [], [], []]
    assert right.all()


@pytest.mark.parametrize("separator", ["|", "||", ",", " "])
def test_texts_are_split_and_blanks_left_out(separator):
    texts = [None if row is None else separator.join(part or "" for part in row) for row in LISTS]
    texts[0] = texts[0].replace(separator, f" {separator} ")
    for column in (pa.array(texts), pa.array(texts).dictionary_encode()):
        found, right = read_form(column, TEXTS, separator=separator)
        assert found.to_pylist() == FOUND
        assert right.all()


def test_whole_numbers_are_read_as_those_of_a_column_are():
    column = pa.array([[7.0, None], [2.0**60, 1.0], [float("nan")]])
    found, right = read_form(column, WHOLES, NULL_VALUES)
    assert found.to_pylist()[0] == ["7"] and found.to_pylist()[2] == [""]
    assert right.tolist() == [True, False, True]
    assert read_form(pa.array([[7], [8, 9]]), WHOLES)[0].to_pylist() == [["7"], ["8", "9"]]


def test_a_text_without_a_separator_is_no_list():
    _, right = read_form(pa.array(["Comedy", "", None]), TEXTS)
    assert right.tolist() == [False, True, True]


def test_a_list_within_a_list_is_refused():
    with pytest.raises(pa.ArrowInvalid, match="a list within a list"):
        read_form(pa.array([[["a"]]]), TEXTS)


@pytest.mark.parametrize(
    ("column", "form"),
    [
        (pa.array(LISTS), TEXTS),
        (pa.array([[1], [2, 3]]), WHOLES),
        (pa.array([[], None], pa.list_(pa.null())), TEXTS),
        (pa.array([[0.5]]), "of type list<item: double>"),
        (pa.array([[["a"]]]), "of type list<item: list<item: string>>"),
    ],
)
def test_forms_of_lists(column, form):
    assert form_of(column, "genres", NULL_VALUES).replace("element", "item") == form


def test_separators_are_seen_between_values_and_not_in_titles():
    rng = np.random.default_rng(0)
    genres = np.array(["Action", "Comedy", "Drama", "War"])
    rows = ["|".join(rng.permutation(genres)[: rng.integers(1, 4)]) for _ in range(200)]
    assert separator_of(pa.array(sorted(set(rows)))) == "|"
    titles = [f"Movie {i}, The ({i})" for i in range(200)]
    assert separator_of(pa.array(titles)) == ""
    assert separator_of(pa.array(["a", "b"])) == separator_of(pa.array([], pa.string())) == ""
