"""Which embedding each numerical field has."""

from collections.abc import Mapping

from interhat_tf.errors import SettingError
from interhat_tf.layers import NUMBER_EMBEDDINGS, PRODUCT
from interhat_tf.schema import Schema
from interhat_tf.utils.limits import check_choice


def number_embeddings(schema: Schema, chosen: str | Mapping[str, str] | None) -> tuple[str, ...]:
    """Returns the name of each numerical field's embedding, none if all are products.

    Args:
        schema: The schema.
        chosen: The argument `numerical_embedding` of a `ClickModel`.

    Raises:
        SettingError: If there is no such embedding or numerical field.

    Example:

    >>> from interhat_tf import Field
    >>> schema = Schema([Field("price", "numerical"), Field("age", "numerical")])
    >>> number_embeddings(schema, "piecewise")
    ('piecewise', 'piecewise')
    >>> number_embeddings(schema, {"age": "periodic"})
    ('product', 'periodic')
    """
    fields = [field.name for field in schema.numerical]
    names = [PRODUCT, *NUMBER_EMBEDDINGS]
    if not isinstance(chosen, Mapping):
        chosen = dict.fromkeys(fields, chosen or PRODUCT)
    for field, name in chosen.items():
        if field not in fields:
            raise SettingError(
                f"numerical_embedding: there is no numerical field {field!r}; there are: "
                f"{', '.join(fields) or 'none'}"
            )
        check_choice("numerical_embedding", name, names)
    found = tuple(chosen.get(field, PRODUCT) for field in fields)
    return found if set(found) - {PRODUCT} else ()
