import pathlib
import runpy

import numpy as np
import pytest

pydantic = pytest.importorskip("pydantic")
PATH = pathlib.Path(__file__).parents[2] / "examples/server/records.py"
KINDS = {"user": "text", "genres": "list of text"}


@pytest.fixture(scope="module")
def records():
    return runpy.run_path(str(PATH))


def read(records, *rows):
    request = records["request_model"](KINDS, 10).model_validate({"records": list(rows)})
    return records["columns_of"](request.records, KINDS)


def test_lists_are_as_long_as_the_longest(records):
    rows = [{"user": "u1", "genres": genres} for genres in (["War", 17.0], None, [], ["Up"])]
    columns = read(records, *rows)
    assert columns["genres"].tolist() == [["War", "17"], ["", ""], ["", ""], ["Up", ""]]
    assert read(records, rows[1])["genres"].shape == (1, 1)
    assert columns["user"].dtype == columns["genres"].dtype == np.dtype(object)


@pytest.mark.parametrize("genres", ["War", [["War"]], [1e300], ["War"] * 1001, {"a": 1}])
def test_what_is_no_list_is_refused(records, genres):
    with pytest.raises(pydantic.ValidationError, match="genres"):
        read(records, {"user": "u1", "genres": genres})
