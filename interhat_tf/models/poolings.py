"""Which pooling a model has for each field of several values."""

from collections.abc import Mapping

from interhat_tf.errors import SettingError
from interhat_tf.layers.value_pooling import POOLINGS, TARGET
from interhat_tf.schema import Schema
from interhat_tf.utils.limits import check_choice


def poolings(schema: Schema, chosen: str | Mapping[str, str] | None, default: str) -> list[str]:
    """Returns the pooling of each field of several values of a schema.

    Args:
        schema: The `Schema`.
        chosen: One pooling for all fields, or poolings by field; `None` for the default.
        default: The pooling of fields that are not named.

    Raises:
        ValueError: If there is no such pooling or field, or a field has no target.

    Example:

    >>> from interhat_tf import Field
    >>> fields = [Field(name, "multivalued", 9, max_length=2) for name in ("genres", "tags")]
    >>> poolings(Schema(fields), {"tags": "max"}, "mean")
    ['mean', 'max']
    """
    names = [field.name for field in schema.multivalued]
    by_name = chosen if isinstance(chosen, Mapping) else dict.fromkeys(names, chosen or default)
    for name in by_name:
        if name not in names:
            raise SettingError(
                f"pooling names {name!r}, which is not a multivalued field or a sequence; "
                f"there are: {', '.join(names) or 'none'}"
            )
    given = [chosen] if isinstance(chosen, str) else by_name.values()
    for pooling in given:
        check_choice("pooling", pooling, (*POOLINGS, TARGET))
    targets = targets_of(schema)
    for name, pooling in by_name.items():
        if pooling == TARGET and name not in targets:
            raise SettingError(
                f"only a field that shares a categorical field's vocabulary, that of its target, "
                f"can have pooling 'target'; {name!r} shares none"
            )
    return [by_name.get(name, default) for name in names]


def targets_of(schema: Schema) -> dict[str, str]:
    """Returns the target of each field that has one: the categorical field that it shares.

    Example:

    >>> from interhat_tf import Field
    >>> history = Field("history", "sequence", 90, max_length=50, shares="movie")
    >>> targets_of(Schema([Field("movie", "categorical", 90), history]))
    {'history': 'movie'}
    """
    categorical = {field.name for field in schema.categorical}
    return {field.name: field.shares for field in schema.multivalued if field.shares in categorical}
