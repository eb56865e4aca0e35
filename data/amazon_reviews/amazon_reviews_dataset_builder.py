"""Amazon reviews as click records: which product a user reviews next, after which others."""

import dataclasses
from collections.abc import Sequence

import pyarrow as pa
import tensorflow_datasets as tfds

from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.fields import Categorical, RawField, Sequential
from interhat_tf.preprocessing.log_files import log_files, manual_folder
from interhat_tf.preprocessing.rows import Rows

from .next_items import MAX_HISTORY, NextItems, next_items
from .raw_files import read_categories, read_reviews

SOURCE = "https://jmcauley.ucsd.edu/data/amazon/"
CHUNK_ROWS = 1 << 16


@dataclasses.dataclass(kw_only=True)
class AmazonConfig(tfds.core.BuilderConfig):
    """Which products' reviews are taken.

    Args:
        products: The products' kind, as the files' names have it.
    """

    products: str


class Builder(ClickLogBuilder):
    """Builds click records from the 5-core reviews of 2014."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Each review, and another product for each."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        AmazonConfig(
            name=products.lower(),
            products=products,
            description=f"Products of the kind {products}.",
        )
        for products in ("Electronics", "Books")
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    reviews_Electronics_5.json and meta_Electronics.json of {SOURCE}, or those of Books,
    plain or compressed (.gz, .zst).
    """

    @property
    def fields(self) -> Sequence[RawField]:
        """The user, the product, its category, and the histories of both."""
        return [
            *map(Categorical, ("user", "item", "category")),
            Sequential("history", shares="item", max_length=MAX_HISTORY),
            Sequential("category_history", shares="category", max_length=MAX_HISTORY),
        ]

    def _files(self, folder):
        products = self.builder_config.products
        names = f"reviews_{products}_5.json", f"meta_{products}.json"
        return [log_files(folder, [name], SOURCE)[0] for name in names]

    def _chunks(self, dl_manager):
        reviews_path, products_path = self._files(manual_folder(dl_manager))
        reviews = read_reviews(reviews_path)
        users, items = (
            reviews[name].combine_chunks().dictionary_encode() for name in reviews.column_names[:2]
        )
        categories = read_categories(products_path, set(items.dictionary.to_pylist()))
        of_items = pa.array(
            [categories.get(item) for item in items.dictionary.to_pylist()], pa.string()
        )
        samples = next_items(
            users.indices.to_numpy(), items.indices.to_numpy(), reviews["time"].to_numpy()
        )
        tables = users.dictionary, items.dictionary, of_items
        starts = range(0, len(samples.labels), CHUNK_ROWS)
        return [
            Reviews(samples[start : start + CHUNK_ROWS], start, *tables, reviews_path)
            for start in starts
        ]

    def _read_chunk(self, chunk):
        return chunk.read()


@dataclasses.dataclass(frozen=True, eq=False)
class Reviews:
    """A chunk of samples, and the names of their users, products and categories.

    Args:
        samples: The chunk's `NextItems`.
        first_row: Number of its first sample.
        users: The users' names.
        items: The products' names.
        categories: Each product's category, null where it has none.
        source: The reviews' file, for messages.
    """

    samples: NextItems
    first_row: int
    users: pa.Array
    items: pa.Array
    categories: pa.Array
    source: str

    @property
    def rows(self) -> int:
        """Number of the samples."""
        return len(self.samples.labels)

    def read(self) -> Rows:
        """Returns the chunk's `Rows`."""
        samples = self.samples
        items = pa.array(samples.items)
        values = {
            "user": self.users.take(pa.array(samples.users)),
            "item": self.items.take(items),
            "category": self.categories.take(items),
            "history": samples.histories.lists_of(self.items),
            "category_history": samples.histories.lists_of(self.categories),
        }
        of_file = self.source, 1, self.first_row
        return Rows(pa.table(values), samples.labels, samples.splits, *of_file)
