"""The files of Amazon's reviews and products, a record a line."""

import ast
import json
from collections.abc import Container, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.log_files import open_content


def read_reviews(path: str) -> pa.Table:
    """Returns who reviewed which product when: columns `user`, `item` and `time`.

    Raises:
        ValueError: If a line is not a review; the message names it.
    """
    users, items, times = [], [], []
    for where, review in _records(path, json.loads):
        try:
            user, item, time = (review[name] for name in ("reviewerID", "asin", "unixReviewTime"))
        except KeyError as error:
            raise DataError(f"{where}: the review has no {error}") from error
        if not (user and isinstance(user, str) and item and isinstance(item, str)):
            raise DataError(f"{where}: reviewerID and asin are {user!r} and {item!r}; give texts")
        if type(time) is not int:
            raise DataError(f"{where}: unixReviewTime is {time!r}; it is whole seconds")
        users.append(user)
        items.append(item)
        times.append(time)
    if not users:
        raise DataError(f"{path}: the file is empty")
    return pa.table({"user": users, "item": items, "time": np.array(times, np.int64)})


def read_categories(path: str, items: Container[str]) -> dict[str, str]:
    """Returns the last category of each of some products that has one.

    Raises:
        ValueError: If a line is not a product; the message names it.
    """
    found = {}
    # The file's lines are Python's, not JSON's: texts stand in single quotes.
    for where, product in _records(path, ast.literal_eval):
        if not isinstance(product.get("asin"), str):
            raise DataError(f"{where}: the product has no 'asin'")
        if product["asin"] not in items:
            continue
        categories = product.get("categories") or [[]]
        if not (isinstance(categories, list) and isinstance(categories[-1], list)):
            raise DataError(f"{where}: categories are {categories!r}; they are lists in a list")
        if categories[-1]:
            found[product["asin"]] = str(categories[-1][-1])
    return found


def _records(path: str, parse: Any) -> Iterator[tuple[str, dict]]:
    """Yields each line's file and number, and the dictionary that it is."""
    with open_content(path) as stream:
        for number, line in enumerate(stream, 1):
            where = f"{path}:{number}"
            try:
                record = parse(line.decode())
            except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
                raise DataError(f"{where}: {line[:80]!r} is not a record: {error}") from error
            if not isinstance(record, dict):
                raise DataError(f"{where}: {line[:80]!r} is not a record of names and values")
            yield where, record
