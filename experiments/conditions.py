"""Conditions on records as flags give them: FIELD=VALUE,FIELD=VALUE,…, in the log's own values."""

from interhat_tf.attention import where


def condition(data, text):
    """Returns the condition on a data set's records that a flag's text describes.

    Args:
        data: The `PreparedDataset`.
        text: Pairs of a categorical field and one of its values.

    Returns:
        A function of a batch's inputs, as `attention.select_records` takes it.

    Raises:
        ValueError: If there is no such field or value.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    return where(data.schema, **{field: data.id_of(field, value) for field, _, value in pairs})
