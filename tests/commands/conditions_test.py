import numpy as np
import pytest

from interhat_tf import Field, Schema
from interhat_tf.commands.conditions import condition


class Data:
    schema = Schema([Field("ad", "categorical", 5), Field("user", "categorical", 5)])
    genres = Schema([Field("genres", "multivalued", 5, max_length=3)])

    def id_of(self, field, value):
        return int(value)


def test_a_text_names_fields_and_values():
    inputs = {"categorical": np.array([[1, 2], [1, 3], [2, 2]])}
    assert condition(Data(), "ad=1,user=2")(inputs).tolist() == [True, False, False]


def test_all_pairs_have_to_hold():
    inputs = {"categorical": np.array([[1, 2], [2, 2]])}
    assert condition(Data(), "ad=1,ad=2")(inputs).tolist() == [False, False]

    class Films(Data):
        schema = Data.genres

    inputs = {"multivalued": np.array([[1, 2, 0], [2, 3, 0], [1, 0, 0]])}
    assert condition(Films(), "genres=1,genres=2")(inputs).tolist() == [True, False, False]


def test_names_and_values_may_have_the_signs_between_them():
    class Signs(Data):
        schema = Schema([Field("a=b,c", "categorical", 5), Field("a", "categorical", 5)])

        def id_of(self, field, value):
            return {"1, 2": 1, "x=y": 2}[value]

    inputs = {"categorical": np.array([[1, 2], [1, 1]])}
    assert condition(Signs(), '"a=b,c=1, 2",a=x=y')(inputs).tolist() == [True, False]


def test_a_comma_without_quotes_is_told():
    with pytest.raises(ValueError, match='a pair with a comma stands in quotes: "FIELD=A, B"'):
        condition(Data(), "ad=1,town=2")


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match="field 'app' is not in the schema"):
        condition(Data(), "app=1")
