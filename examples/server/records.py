"""Records as JSON has them, and the columns that an exported ONNX model takes."""

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

TEXT, NUMBER, TIME, LIST = "text", "number", "time", "list of text"
"""What the model's metadata say of a column."""

MAX_VALUES = 1000
"""Values of a list, at most."""

MAX_WHOLE_FLOAT = 2.0**53
HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")
"""What JSON may have, but UTF-8 not."""
DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]|$)")


def request_model(kinds: Mapping[str, str], max_records: int) -> type[BaseModel]:
    """Returns what a request must be: `{"records": [{column: value, …}, …]}`.

    A record has every column of the model and no other; `null` is a missing value. Numbers
    are JSON's own, finite; a time is also text as `2024-01-31T07:30:00`. Several values of
    a column are a list.

    Args:
        kinds: `TEXT`, `NUMBER`, `TIME` or `LIST` of each column.
        max_records: Records of a request, at most.
    """
    number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
    text = Annotated[str, BeforeValidator(text_of)]
    types: dict[str, Any] = {
        TEXT: text,
        LIST: Annotated[list[text], Field(max_length=MAX_VALUES)] | None,
        NUMBER: number | None,
        TIME: Annotated[number | None, BeforeValidator(seconds_of)],
    }
    config = ConfigDict(extra="forbid")
    columns: dict[str, Any] = {
        f"column_{i}": (types[kind], Field(alias=name))
        for i, (name, kind) in enumerate(kinds.items())
    }
    record = create_model("Record", __config__=config, **columns)
    bounded = Field(min_length=1, max_length=max_records)
    return create_model(
        "Records", __config__=config, records=(Annotated[list[record], bounded], ...)
    )


def columns_of(records: Sequence[BaseModel], kinds: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Returns records as the model takes them, an array a column.

    Args:
        records: The records of a request.
        kinds: As for `request_model`.
    """
    columns = {}
    for i, (name, kind) in enumerate(kinds.items()):
        values = [getattr(record, f"column_{i}") for record in records]
        if kind == LIST:
            width = max(1, *(len(row or ()) for row in values))
            values = [[*(row or ()), *[""] * (width - len(row or ()))] for row in values]
        columns[name] = np.array(values, object if kind in (TEXT, LIST) else np.float64)
    return columns


def text_of(value: Any) -> Any:
    """Returns a value as a log writes it: `""` if it is missing, `"17"` for 17 and 17.0."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= MAX_WHOLE_FLOAT:
            raise ValueError("a float is exact only up to 2^53: give it as text")
        return str(int(value))
    if isinstance(value, str) and HALF_A_CHARACTER.search(value):
        raise ValueError("half a character is no text")
    return str(value) if isinstance(value, (int, float)) else value


def seconds_of(value: Any) -> Any:
    """Returns a time that is written out as seconds since 1970 of its own clock."""
    if not isinstance(value, str):
        return value
    if not DATE.match(value):
        raise ValueError("a time is a number of seconds since 1970, or as 2024-01-31T07:30:00")
    return datetime.datetime.fromisoformat(value).replace(tzinfo=datetime.UTC).timestamp()
