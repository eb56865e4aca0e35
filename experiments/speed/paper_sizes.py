"""Records in memory of the sizes of the paper's Table 1, for measuring speed.

The values mean nothing, but they are as skewed as a log's: value v of a field
stands about as often as 1 / v.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from interhat_tf.schema import CATEGORICAL, Field, Schema

BUCKETS = 1000


@dataclasses.dataclass(frozen=True)
class Size:
    """What of a data set decides how long a step takes.

    Args:
        categories: Number of categorical fields.
        numbers: Number of numerical fields, which the released code makes
            categories of `BUCKETS` values.
        features: Number of distinct features, over all fields.
        epoch_rows: Rows of the paper's training split.
    """

    categories: int
    numbers: int
    features: int
    epoch_rows: int


SIZES = {
    "criteo": Size(categories=22, numbers=14, features=605_700, epoch_rows=11_040_000),
    "avazu": Size(categories=21, numbers=0, features=23_800, epoch_rows=9_680_000),
    # Table 1 has 7 fields, which do not sum to its 5,382 features; the data's 10 do.
    "frappe": Size(categories=10, numbers=0, features=5_382, epoch_rows=230_887),
}


def schema_of(size: Size) -> Schema:
    """Returns a schema of exactly so many features, with fields of very different sizes.

    Example:

    >>> sum(schema_of(SIZES["avazu"]).vocabulary_sizes)
    23800
    """
    rest = size.features - size.numbers * BUCKETS
    shares = np.geomspace(1, rest / 20, size.categories)
    sizes = np.maximum(shares / shares.sum() * rest, 2).astype(int)
    sizes[-1] += rest - sizes.sum()
    fields = [*[BUCKETS] * size.numbers, *sizes.tolist()]
    return Schema([Field(f"f{i + 1}", "categorical", n) for i, n in enumerate(fields)])


def log_uniform(
    rng: np.random.Generator, sizes: int | np.ndarray, shape: int | tuple[int, ...]
) -> np.ndarray:
    """Returns values from 0 to `sizes` - 1, of which the density at v falls as 1 / v.

    Args:
        rng: What draws them.
        sizes: Numbers of distinct values, one for all or such that they fit the shape.
        shape: The shape.
    """
    values = np.exp(rng.random(shape) * np.log(np.add(sizes, 1))) - 1
    return np.minimum(values, np.subtract(sizes, 1)).astype(int)


def arrays_of(
    schema: Schema, batch_size: int, batches: int = 4, seed: int = 0
) -> dict[str, np.ndarray]:
    """Returns different batches: `ids` (batches, B, m) and `labels` (batches, B)."""
    rng = np.random.default_rng(seed)
    shape = (batches, batch_size, len(schema.fields))
    ids = log_uniform(rng, np.array(schema.vocabulary_sizes), shape)
    labels = (rng.random(shape[:2]) < 0.25).astype("float32")
    return {"ids": ids, "labels": labels}


def batches_of(schema: Schema, batch_size: int, batches: int = 4, seed: int = 0) -> tf.data.Dataset:
    """Returns the batches of `arrays_of`, over and over, as a `tf.data.Dataset`."""
    arrays = arrays_of(schema, batch_size, batches, seed)
    inputs = {CATEGORICAL: arrays["ids"].astype("int32")}
    data = tf.data.Dataset.from_tensor_slices((inputs, arrays["labels"]))
    options = tf.data.Options()
    options.autotune.enabled = False  # it may delay what is being timed
    return data.repeat().prefetch(2).with_options(options)
