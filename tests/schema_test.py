import json
import re

import numpy as np
import pytest

from interhat_tf import CrossedField, Field, Schema


def test_numbers_that_float32_does_not_have():
    schema = Schema([Field("price", "numerical")])
    with pytest.raises(ValueError, match=r"field 'price', row 1: the number is 1e\+300"):
        schema.check({"numerical": np.array([[1.0], [1e300]])})


def test_fields_are_ordered_categorical_first(schema):
    assert schema.field_names == ("app", "site", "price", "age")
    assert schema.vocabulary_sizes == (7, 4)
    assert [field.name for field in schema.numerical] == ["price", "age"]


def test_survives_json(schema):
    text = json.dumps(schema.to_dict())
    assert Schema.from_dict(text) == Schema.from_dict(json.loads(text)) == schema
    assert hash(Schema.from_dict(text)) == hash(schema)
    assert schema != Schema(schema.categorical)


@pytest.mark.parametrize(
    ("kind", "size", "message"),
    [
        ("text", 3, "kind must be"),
        ("categorical", 0, "at least 1"),
        ("categorical", -1, "at least 1"),
        ("numerical", 3, "has none"),
        ("numerical", -1, "has none"),
    ],
)
def test_field_rejects_bad_arguments(kind, size, message):
    with pytest.raises(ValueError, match=message):
        Field("f", kind, size)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([], "at least one field"),
        ([Field("a", "numerical"), Field("a", "categorical", 2)], "repeated: a"),
    ],
)
def test_schema_rejects_bad_fields(fields, message):
    with pytest.raises(ValueError, match=message):
        Schema(fields)


def test_a_number_may_be_missing(schema, batch):
    price = Field("price", "numerical", may_be_missing=True)
    missing = Schema([*schema.categorical, price, Field("age", "numerical")])
    assert missing.missing_numbers and not schema.missing_numbers
    assert Schema.from_dict(json.dumps(missing.to_dict())) == missing != schema
    assert missing.difference(schema) == "field 'price' may be missing, the other's may not"
    assert schema.difference(missing) == "field 'price' may not be missing, the other's may"
    assert "may_be_missing" not in json.dumps(schema.to_dict())  # as version 0.1 wrote it
    batch["numerical"][3, 0] = np.nan
    missing.check(batch)
    batch["numerical"][3, 0] = np.inf
    with pytest.raises(ValueError, match="field 'price', row 3: the number is inf"):
        missing.check(batch)
    batch["numerical"][3] = 0, np.nan
    with pytest.raises(ValueError, match="field 'age', row 3: the number is nan"):
        missing.check(batch)
    with pytest.raises(ValueError, match="'app': only a numerical field can have may_be_missing"):
        Field("app", "categorical", 3, may_be_missing=True)


def test_check_accepts_good_batches(schema, batch):
    schema.check(batch)
    schema.check({name: values[:0] for name, values in batch.items()})
    Schema(schema.categorical).check({"categorical": batch["categorical"]})
    Schema(schema.numerical).check({"numerical": batch["numerical"]})


@pytest.mark.parametrize(
    ("kind", "column", "value", "message"),
    [
        ("categorical", 0, 7, r"field 'app', row 5: id 7 is outside the vocabulary \[0, 7\)"),
        ("categorical", 1, 4, r"field 'site', row 5: id 4 is outside the vocabulary \[0, 4\)"),
        ("categorical", 1, -1, "field 'site', row 5: id -1"),
        ("numerical", 0, np.nan, "field 'price', row 5: the number is nan"),
        ("numerical", 1, np.inf, "field 'age', row 5: the number is inf"),
    ],
)
def test_check_names_field_and_row(schema, batch, kind, column, value, message):
    batch[kind][5, column] = value
    with pytest.raises(ValueError, match=message):
        schema.check(batch)
    with pytest.raises(ValueError, match=r"log\.csv: field .*, row 1005"):
        schema.check(batch, where="log.csv", first_row=1000)


@pytest.mark.parametrize("kind", ["categorical", "numerical"])
def test_check_rejects_missing_and_misshapen_entries(schema, batch, kind):
    with pytest.raises(ValueError, match=f"no '{kind}' entry"):
        schema.check({name: values for name, values in batch.items() if name != kind})
    with pytest.raises(ValueError, match=r"shape \(rows, 2\), got \(16, 1\)"):
        schema.check({**batch, kind: batch[kind][:, :1]})


def test_check_rejects_ids_that_are_not_integers(schema, batch):
    with pytest.raises(ValueError, match="integer ids"):
        schema.check({**batch, "categorical": batch["categorical"] + 0.5})


APP_X_SITE = CrossedField(("app", "site"), [[1, 2], [3, 3]])


def test_crosses_lie_between_categorical_and_numerical_fields(schema):
    crossed = schema.with_crosses([APP_X_SITE])
    assert crossed.field_names == ("app", "site", "app x site", "price", "age")
    assert [field.name for field in crossed.record_fields] == ["app", "site", "price", "age"]
    assert crossed.vocabulary_sizes == (7, 4, 3)
    assert crossed.fields[2] == Field("app x site", "categorical", 3)
    assert crossed.with_crosses([]) == schema


def test_crosses_survive_json(schema):
    crossed = schema.with_crosses([APP_X_SITE])
    copy = Schema.from_dict(json.dumps(crossed.to_dict()))
    assert copy == crossed != schema
    assert hash(copy) == hash(crossed)
    assert "crosses" not in schema.to_dict()


def test_check_is_of_the_fields_that_a_record_holds(schema, batch):
    schema.with_crosses([APP_X_SITE]).check(batch)


@pytest.mark.parametrize(
    ("crosses", "message"),
    [
        ([APP_X_SITE, APP_X_SITE], "repeated: app x site"),
        ([APP_X_SITE, CrossedField(("site", "app"), hash_size=3)], "given twice: site x app"),
        ([CrossedField(("app", "shop"), hash_size=3)], "there is no field 'shop'"),
        ([CrossedField(("app", "age"), hash_size=3)], "'age' is numerical"),
    ],
)
def test_schema_rejects_bad_crosses(schema, crosses, message):
    with pytest.raises(ValueError, match=message):
        schema.with_crosses(crosses)


def test_the_first_difference_of_two_schemas():
    schema = Schema([Field("app", "categorical", 3), Field("price", "numerical")])
    more = [*schema.record_fields, Field("city", "categorical", 2)]
    assert schema.difference(Schema(more)) == "the other has a field 'city' more"
    turned = Schema([Field("price", "categorical", 3), Field("app", "numerical")])
    assert schema.difference(turned) == "field 'app' is categorical, the other's numerical"
    fields = [Field(name, "numerical") for name in "ab"]
    said = Schema(fields).difference(Schema(fields[::-1]))
    assert said == "the fields' order is a, b, the other's b, a"
    assert schema.difference(schema) == ""


LISTS = Schema(
    [
        Field("genres", "multivalued", 20, max_length=3),
        Field("user", "categorical", 5),
        Field("tags", "multivalued", 4, max_length=2),
        Field("price", "numerical"),
    ]
)
RECORD = {"categorical": [[4]], "numerical": [[0.5]], "multivalued": [[19, 0, -1, 3, 3]]}


def test_multivalued_fields_come_last_and_have_columns_of_their_own():
    assert LISTS.field_names == ("user", "price", "genres", "tags")
    assert LISTS.vocabulary_sizes == (5, 20, 4)
    assert LISTS.columns == {"categorical": [0], "numerical": [1], "multivalued": [2, 2, 2, 3, 3]}
    assert Schema.from_dict(json.dumps(LISTS.to_dict())) == LISTS
    assert "max_length" not in Field("user", "categorical", 5).to_dict()


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ([[19, -2, -1, 3, 3]], "field 'genres', row 0: id -2 is outside the vocabulary [0, 20)"),
        ([[-1, -1, -1, 4, 3]], "field 'tags', row 0: id 4 is outside the vocabulary [0, 4)"),
        ([[1, -1, 2, 3, 3]], "field 'genres', row 0: id 2 comes after -1, which ends the values"),
        ([[1, 2, -1, -1, 3]], "field 'tags', row 0: id 3 comes after -1, which ends the values"),
        ([[1, 2, 3, 3]], "'multivalued' must have shape (rows, 5), got (1, 4)"),
        ([[0.0] * 5], "'multivalued' must hold integer ids, got float64"),
        ([[[1, 2, -1, 3, 3]]], "'multivalued' must have shape (rows, 5), got (1, 1, 5)"),
        (None, "inputs have no 'multivalued' entry; the schema has multivalued fields"),
    ],
)
def test_lists_that_are_wrong_are_refused(lists, message):
    record = {kind: np.array(values) for kind, values in RECORD.items()}
    LISTS.check(record)
    LISTS.check({**record, "multivalued": np.array([[-1, -1, -1, 3, -1]], "int8")})
    del record["multivalued"]
    with pytest.raises(ValueError, match=re.escape(message)):
        LISTS.check(record if lists is None else {**record, "multivalued": np.array(lists)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("multivalued", 3), "has a max_length of at least 1, other fields have none; got 0"),
        (("sequence", 3), "has a max_length of at least 1, other fields have none; got 0"),
        (("categorical", 3, False, None, 2), "got 2 for a categorical field"),
        (("multivalued", 3, False, None, -1), "got -1 for a multivalued field"),
        (("multivalued", 0, False, None, 2), "at least 1"),
        (("multivalued", 3, True, None, 2), "only a numerical field can have may_be_missing"),
    ],
)
def test_a_multivalued_field_has_a_length(arguments, message):
    with pytest.raises(ValueError, match=message):
        Field("f", *arguments)


def test_a_longer_field_is_another_one():
    longer = [Field("genres", "multivalued", 20, max_length=4), *LISTS.record_fields[:2]]
    found = Schema([*longer, LISTS.multivalued[1]]).difference(LISTS)
    assert found == "field 'genres' has 4 values at most, the other's 3"


def test_a_cross_is_of_fields_with_one_value():
    with pytest.raises(ValueError, match="the field 'genres' is multivalued"):
        LISTS.with_crosses([CrossedField(("user", "genres"), hash_size=9)])


HISTORY = Field("history", "sequence", 9, max_length=3, shares="movie")
SEEN = Schema(
    [
        HISTORY,
        Field("genres", "multivalued", 20, max_length=2),
        Field("movie", "categorical", 9),
        Field("places", "sequence", 4, max_length=2),
    ]
)


def test_sequences_stand_behind_the_fields_without_order():
    assert SEEN.field_names == ("movie", "genres", "history", "places")
    assert SEEN.vocabulary_sizes == (9, 20, 9, 4)
    assert [field.name for field in SEEN.multivalued] == ["genres", "history", "places"]
    assert SEEN.sequences == SEEN.multivalued[1:]
    assert SEEN.columns == {"categorical": [0], "multivalued": [1, 1, 2, 2, 2, 3, 3]}
    places = [SEEN.value_columns(name) for name in ("genres", "history", "places")]
    assert places == [slice(0, 2), slice(2, 5), slice(5, 7)]
    with pytest.raises(
        ValueError, match="'movie' is not a multivalued field or a sequence; there are: genres"
    ):
        SEEN.value_columns("movie")


def test_a_sequence_survives_a_file():
    again = Schema.from_dict(json.dumps(SEEN.to_dict()))
    assert again == SEEN and again.sequences == SEEN.sequences
    assert HISTORY.to_dict()["shares"] == "movie"
    assert "shares" not in Field("places", "sequence", 4, max_length=2).to_dict()


@pytest.mark.parametrize(
    ("field", "difference"),
    [
        (
            Field("history", "multivalued", 9, max_length=3, shares="movie"),
            "is sequence, the other",
        ),
        (Field("history", "sequence", 9, max_length=4, shares="movie"), "has 3 values at most"),
        (
            Field("history", "sequence", 9, max_length=3),
            "field 'history' has the vocabulary of 'movie', the other's its own vocabulary",
        ),
    ],
)
def test_another_sequence_is_another_field(field, difference):
    movie = Field("movie", "categorical", 9)
    assert difference in Schema([movie, HISTORY]).difference(Schema([movie, field]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([HISTORY], "shares the vocabulary of 'movie', which is not another field of categories"),
        ([HISTORY, Field("movie", "numerical")], "which is not another field of categories"),
        ([Field("h", "sequence", 9, max_length=3, shares="h")], "which is not another field"),
        ([HISTORY, Field("movie", "categorical", 8)], "its vocabulary_size must be 8, got 9"),
        (
            [HISTORY, Field("movie", "categorical", 9, hash_size=20)],
            "field 'history' shares the vocabulary of 'movie', so that its hash_size must be 20",
        ),
        (
            [*SEEN.record_fields, Field("h", "sequence", 9, max_length=3, shares="history")],
            "'history', which shares that of 'movie': share 'movie' directly",
        ),
    ],
)
def test_a_field_shares_what_is_another_fields_own(fields, message):
    with pytest.raises(ValueError, match=message):
        Schema(fields)


@pytest.mark.parametrize("arguments", [("categorical", 9), ("numerical",)])
def test_fields_with_one_value_share_nothing(arguments):
    with pytest.raises(ValueError, match="only a multivalued field or a sequence can have shares"):
        Field("f", *arguments, shares="movie")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({4: 9}, "field 'history', row 7: id 9 is outside the vocabulary [0, 9)"),
        ({5: -2}, "field 'places', row 7: id -2 is outside the vocabulary [0, 4)"),
        ({3: -1}, "field 'history', row 7: id 8 comes after -1, which ends the values"),
    ],
)
def test_sequences_that_are_wrong_are_refused(columns, message):
    record = {
        "categorical": np.array([[1], [2]]),
        "multivalued": np.array([[19, 1, -1, -1, -1, 3, -1], [-1, -1, 0, 8, 8, 3, 3]]),
    }
    SEEN.check(record)
    for column, value in columns.items():
        record["multivalued"][1, column] = value
    with pytest.raises(ValueError, match=re.escape(message)):
        SEEN.check(record, first_row=6)


def test_a_schema_of_sequences_alone_says_so():
    with pytest.raises(ValueError, match="no 'multivalued' entry; the schema has sequence fields"):
        Schema([Field("places", "sequence", 4, max_length=2)]).check({})


def test_a_sequence_is_in_no_cross():
    with pytest.raises(ValueError, match="the field 'history' is sequence"):
        SEEN.with_crosses([CrossedField(("movie", "history"), hash_size=9)])
