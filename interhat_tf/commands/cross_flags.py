"""The flags that ask for crosses."""

from absl import flags

from interhat_tf.crosses import Cross

CROSS_FLAGS = ("crosses", "click_counts", "cross_min_count", "cross_hash_size")


def define_cross_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `CROSS_FLAGS`."""
    flags.DEFINE_multi_string(
        "crosses", [], "cross of two or three fields, FIELD,FIELD; may be repeated", values
    )
    flags.DEFINE_multi_string(
        "click_counts",
        [],
        "FIELD or FIELD,FIELD, whose numbers of clicks become a field; may be repeated",
        values,
    )
    flags.DEFINE_integer(
        "cross_min_count",
        None,
        "training rows that a combination needs to have an id",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "cross_hash_size",
        None,
        "ids that the combinations of a cross share by a hash",
        flag_values=values,
    )


def crosses(values: flags.FlagValues) -> list[Cross]:
    """Returns the crosses that the flags ask for."""
    min_count, hash_size = values.cross_min_count, values.cross_hash_size
    plain = [Cross(text.split(","), min_count, hash_size) for text in values.crosses]
    counted = [Cross(text.split(","), min_count, None, True) for text in values.click_counts]
    return plain + counted
