"""What a user may choose for single fields of a log: the scales of numbers, hashes of values."""

import difflib
from collections.abc import Collection, Iterable, Mapping

from interhat_tf.errors import SettingError
from interhat_tf.preprocessing.fields import (
    MAX_VALUES,
    Categorical,
    Numerical,
    QuantileBuckets,
    RawField,
    owner_of,
)
from interhat_tf.preprocessing.scaling import SCALES
from interhat_tf.utils.limits import check_limits

BUCKETS = "buckets"
SCALINGS = (*SCALES, BUCKETS)
DEFAULT_SCALING = "log"

Scalings = str | Mapping[str, str] | None
"""One of `SCALINGS` for all numerical fields, or one for each that is named."""

MaxValues = int | Mapping[str, int]
"""The most values that are kept of all fields of several values, or of each that is named."""


def check_names(what: str, names: Iterable[str], known: Collection[str], kind: str) -> None:
    """Raises an error if a choice is for a field that there is not.

    Args:
        what: The argument, for the message.
        names: The names it has.
        known: Those that it may have.
        kind: What these are, `"numerical field"`.

    Example:

    >>> check_names("scaling", ["pric"], ["price", "age"], "field")
    Traceback (most recent call last):
    interhat_tf.errors.SettingError: scaling names 'pric', which is not a field; did you \
mean 'price'?
    """
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            others = f"there are {', '.join(known)}" if known else "there is none"
            advice = f"did you mean {near[0]!r}?" if near else others
            raise SettingError(f"{what} names {name!r}, which is not a {kind}; {advice}")


def number_fields(scaling: Scalings, names: Collection[str]) -> dict[str, RawField]:
    """Returns the numerical fields of a log, each with its scale.

    Args:
        scaling: What was chosen; `DEFAULT_SCALING` for fields that are not named.
        names: Names of the fields.

    Raises:
        ValueError: If there is no such scale or no such numerical field.

    Example:

    >>> number_fields({"age": "buckets"}, ["age"])
    {'age': QuantileBuckets(name='age', buckets=32)}
    """
    chosen = dict.fromkeys(names, scaling) if isinstance(scaling, str) else dict(scaling or {})
    check_names("scaling", chosen, names, "numerical field")
    for name, scale in [("", scaling)] if isinstance(scaling, str) else chosen.items():
        if scale not in SCALINGS:
            near = difflib.get_close_matches(str(scale), SCALINGS, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SCALINGS)}"
            of_field = f" of {name!r}" if name else ""
            raise SettingError(f"scaling{of_field} is {scale!r}, which is not a scale; {advice}")
    fields: dict[str, RawField] = {}
    for name in names:
        scale = chosen.get(name, DEFAULT_SCALING)
        fields[name] = (
            QuantileBuckets(name)
            if scale == BUCKETS
            else Numerical(name, scale, may_be_missing=True)
        )
    return fields


def check_hash_sizes(hash_size: Mapping[str, int], names: Collection[str]) -> None:
    """Raises an error if a field cannot be hashed, or a size is not a whole number of at least 1.

    Args:
        hash_size: The number of names by field.
        names: The fields of text or whole numbers; others have few values.

    Example:

    >>> check_hash_sizes({"u": 0}, ["u"])
    Traceback (most recent call last):
    interhat_tf.errors.SettingError: hash_size of 'u' must be at least 1, got 0
    """
    check_names("hash_size", hash_size, names, "field of text or whole numbers")
    _check_counts("hash_size", hash_size)


def _check_counts(what: str, counts: Mapping[str, int]) -> None:
    """Raises an error if an argument's number for a field is not a whole one of at least 1."""
    given = {f"{what} of {name!r}": count for name, count in counts.items()}
    check_limits(given, dict.fromkeys(given, int))


def check_separators(what: str, separators: Mapping[str, str | None]) -> None:
    """Raises an error if the separator of a column's values is empty or not text.

    Args:
        what: The argument, for the message.
        separators: What stands between the values of each column; `None` of lists.

    Example:

    >>> check_separators("multivalued", {"genres": ""})
    Traceback (most recent call last):
    interhat_tf.errors.SettingError: multivalued of 'genres' is ''; give what stands between two \
values, as '|', or None if the column has lists
    """
    for name, separator in separators.items():
        if separator is not None and (not isinstance(separator, str) or not separator):
            raise SettingError(
                f"{what} of {name!r} is {separator!r}; give what stands between two values, "
                f"as '|', or None if the column has lists"
            )


def check_sharing(shares: Mapping[str, str], ordered: Collection[str], chosen: Mapping) -> None:
    """Raises an error if a field that is not a sequence shares, or a choice is for one that does.

    Args:
        shares: The field whose vocabulary a sequence has, by the sequence.
        ordered: The sequences.
        chosen: The choices that a vocabulary has, by argument and field.

    Example:

    >>> check_sharing({"seen": "movie"}, ["seen"], {"hash_size": {"seen": 100}})
    Traceback (most recent call last):
    interhat_tf.errors.SettingError: hash_size of 'seen': it uses the vocabulary of 'movie'; set \
hash_size on that field
    """
    check_names("shares", shares, ordered, "column of sequence=")
    for argument, names in chosen.items():
        if both := [name for name in shares if name in names]:
            raise SettingError(
                f"{argument} of {both[0]!r}: it uses the vocabulary of {shares[both[0]]!r}; set "
                f"{argument} on that field"
            )


def lengths_of(max_values: MaxValues, names: Collection[str]) -> dict[str, int]:
    """Returns the most values of a row that are kept of each field of several values.

    Args:
        max_values: What was chosen; `MAX_VALUES` for fields that are not named.
        names: Names of the fields.

    Example:

    >>> lengths_of({"seen": 50}, ["genres", "seen"])
    {'genres': 64, 'seen': 50}
    """
    if not isinstance(max_values, Mapping):
        return dict.fromkeys(names, max_values)
    check_names("max_values", max_values, names, "field of several values")
    _check_counts("max_values", max_values)
    return {**dict.fromkeys(names, MAX_VALUES), **max_values}


def describe_choice(field: RawField) -> str:
    """Returns a field's scale, hash or foreign vocabulary in words; nothing of the default.

    >>> describe_choice(Numerical("age", "quantiles")), describe_choice(QuantileBuckets("age"))
    ('quantiles scale', 'in 32 buckets')
    >>> describe_choice(Categorical("user", hash_size=1000))
    'hashed into 1,000'
    """
    if (owner := owner_of(field)) != field.name:
        return f"the vocabulary of {owner!r}"
    if isinstance(field, Categorical) and field.hash_size is not None:
        return f"hashed into {field.hash_size:,}"
    if isinstance(field, QuantileBuckets):
        return f"in {field.buckets} buckets"
    if isinstance(field, Numerical) and field.scaling != DEFAULT_SCALING:
        return f"{field.scaling} scale"
    return ""
