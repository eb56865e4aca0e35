"""Embedding tables that are larger than one device's memory, split over several devices.

On Keras' JAX backend alone: `fit` then trains a model as it is, each device with
some of the tables' rows and a part of the batch.
"""

import dataclasses
from collections.abc import Iterable

import keras

from interhat_tf.errors import SettingError
from interhat_tf.schema import Schema

TABLES = ".*/table"
"""Paths of the weights with a row for each value: every `FieldEmbedding`'s, `Linear`'s too."""


def shard_tables(devices: Iterable[str] | None = None) -> keras.distribution.ModelParallel:
    """Lets each device hold an equal share of the embedding tables' rows, and of their moments.

    Sets Keras' distribution for all models built after it; other weights are on
    every device. The batch is split as well: the rows of every batch, the last
    one's too, must be a multiple of the number of devices, as must the tables'
    (`pad_vocabulary`), or JAX raises an `IndivisibleError`. Losses and predictions
    are those of one device, up to rounding.

    `load_model` puts each weight as a whole on JAX's default device before it is
    split. One too large for it needs `with jax.default_device(jax.devices("cpu")[0])`.

    Args:
        devices: Names such as `"gpu:0"`. Defaults to all of
            `keras.distribution.list_devices()`.

    Returns:
        The `keras.distribution.ModelParallel` that was set;
        `keras.distribution.set_distribution(None)` ends it.

    Raises:
        ValueError: If the backend is not JAX, or there are not several devices.

    Example:

        os.environ["KERAS_BACKEND"] = "jax"  # before Keras is imported
        devices = shard_tables().device_mesh.devices
        model = InterHAt(pad_vocabulary(schema, len(devices)))
        model.compile(Adam(), keras.losses.BinaryCrossentropy(from_logits=True))
        model.fit(records, clicks, batch_size=1024 * len(devices))
    """
    if keras.backend.backend() != "jax":
        raise SettingError(
            "tables are split on Keras' JAX backend alone: set KERAS_BACKEND=jax before Keras "
            f"is imported; the backend is {keras.backend.backend()}"
        )
    devices = keras.distribution.list_devices() if devices is None else list(devices)
    if len(devices) < 2:
        raise SettingError(
            f"splitting tables needs at least two devices, got {', '.join(devices) or 'none'}: "
            "train without shard_tables, or, to try it on a CPU, set "
            "XLA_FLAGS=--xla_force_host_platform_device_count=2 before JAX is imported"
        )
    # One axis for both: with a second axis for the rows, all devices compute all of a batch.
    mesh = keras.distribution.DeviceMesh((len(devices),), ["devices"], devices)
    layouts = keras.distribution.LayoutMap(mesh)
    layouts[TABLES] = ("devices", None)
    distribution = keras.distribution.ModelParallel(layout_map=layouts)
    keras.distribution.set_distribution(distribution)
    return distribution


def pad_vocabulary(schema: Schema, multiple: int) -> Schema:
    """Returns a schema whose vocabulary sizes sum to a multiple of a number, for `shard_tables`.

    The largest categorical field gets ids that no record has. Records of the
    schema are records of the new one too.

    Args:
        schema: The `Schema`.
        multiple: The number, say of devices.

    Raises:
        ValueError: If `multiple` is less than 1.

    Example:

    >>> from interhat_tf import Field
    >>> schema = Schema([Field("user", "categorical", 9), Field("app", "categorical", 4)])
    >>> pad_vocabulary(schema, 8).vocabulary_sizes
    (12, 4)
    """
    if multiple < 1:
        raise SettingError(f"multiple must be at least 1, got {multiple}")
    shared = dict(schema.shared)
    rows = [n for place, n in enumerate(schema.vocabulary_sizes) if place not in shared]
    largest = max(schema.record_fields, key=lambda field: field.vocabulary_size)
    owner = largest.shares or largest.name
    size = largest.vocabulary_size + -sum(rows) % multiple
    fields = [
        dataclasses.replace(field, vocabulary_size=size)
        if owner in (field.name, field.shares)
        else field
        for field in schema.record_fields
    ]
    return Schema(fields, schema.crosses)
