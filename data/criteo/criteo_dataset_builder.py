"""Criteo's Display Advertising Challenge: a row is an ad that was shown and whether it was clicked.

The columns are the label, 13 integers (mostly counts) and 26 hashed categories.
"""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow_datasets as tfds

from interhat_tf.errors import SettingError
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.checks import binary_labels
from interhat_tf.preprocessing.fields import Bucketed, Categorical, Numerical, RawField
from interhat_tf.preprocessing.log_files import log_files, manual_folder
from interhat_tf.preprocessing.rows import Rows, random_splits
from interhat_tf.preprocessing.text_chunks import TextChunk, log_chunks
from interhat_tf.preprocessing.text_parsing import parse

INTEGERS = tuple(f"I{number}" for number in range(1, 14))
CATEGORIES = tuple(f"C{number}" for number in range(1, 27))
COLUMNS = {
    "label": pa.string(),
    **dict.fromkeys(INTEGERS, pa.int64()),
    **dict.fromkeys(CATEGORIES, pa.string()),
}

RELEASED_CATEGORIES = tuple(
    name for name in CATEGORIES if name not in ("C3", "C4", "C12", "C16", "C21")
)
"""The released code leaves out those with the most values."""

FILE_NAMES = ("train.txt", "train")
SOURCE = "https://www.kaggle.com/c/criteo-display-ad-challenge"


@dataclasses.dataclass(kw_only=True)
class CriteoConfig(tfds.core.BuilderConfig):
    """Which rows and columns of the log are taken, and what the integers become.

    Args:
        share: Which part of the rows to take, from the first on. Defaults to
            1.0: all.
        columns: Names of the columns that become fields. Defaults to all 39.
        integers: `"buckets"` of equal width between the training rows' minimum
            and maximum; `"numbers"`, scaled to [0, 1]; or `"logarithms"`, where
            a number v above 2 becomes the category floor(ln(v)^2), any other
            number is a category as it stands and a missing one is 0.
        buckets: Number of buckets, for `"buckets"`.
        min_count: Categories in fewer training rows than this are out of
            vocabulary.
    """

    share: float = 1.0
    columns: tuple[str, ...] = INTEGERS + CATEGORIES
    integers: str = "buckets"
    buckets: int = 1000
    min_count: int = 1

    def __post_init__(self):
        if self.integers not in ("buckets", "numbers", "logarithms"):
            raise SettingError(
                f"integers is {self.integers!r}; it can be buckets, numbers or logarithms"
            )


class Builder(ClickLogBuilder):
    """Builds Criteo from `train.txt`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The paper's rows, and all."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        CriteoConfig(
            name="bucketed",
            description="The first 30% of the rows; integers are buckets, as in the released code.",
            share=0.3,
            columns=INTEGERS + RELEASED_CATEGORIES,
        ),
        CriteoConfig(
            name="numerical",
            description="The first 30% of the rows; integers are numbers, as in the paper.",
            share=0.3,
            columns=INTEGERS + RELEASED_CATEGORIES,
            integers="numbers",
        ),
        CriteoConfig(
            name="all_fields",
            description="All rows and fields, in the way of the benchmark BARS' Criteo_x4.",
            integers="logarithms",
            min_count=10,
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    train.txt from {SOURCE}, plain, as train.txt.gz or train.txt.zst,
    or as a folder train.txt or train of parts.
    """

    @property
    def fields(self) -> list[RawField]:
        """The configuration's columns."""
        config = self.builder_config

        def field(name):
            if name in CATEGORIES or config.integers == "logarithms":
                return Categorical(name, config.min_count)
            if config.integers == "numbers":
                return Numerical(name)
            return Bucketed(name, config.buckets)

        return [field(name) for name in config.columns]

    def _files(self, folder):
        return log_files(folder, FILE_NAMES, SOURCE)

    def _chunks(self, dl_manager):
        paths = self._files(manual_folder(dl_manager))
        return log_chunks(paths, share=self.builder_config.share)

    def _read_chunk(self, chunk: TextChunk) -> Rows:
        config = self.builder_config
        values = parse(chunk, COLUMNS, delimiter="\t", include=["label", *config.columns])
        labels = binary_labels(values["label"], chunk)
        values = values.select(config.columns)
        if config.integers == "logarithms":
            for name in set(INTEGERS) & set(config.columns):
                position = config.columns.index(name)
                values = values.set_column(position, name, _logarithms(values[name]))
        splits = random_splits(chunk.first_row, chunk.rows)
        return Rows(values, labels, splits, chunk.path, chunk.first_line, chunk.first_row)


def _logarithms(column):
    """Returns floor(ln(v)^2) for numbers v above 2, others as they are and 0 for missing ones."""
    numbers = np.asarray(pc.fill_null(column, 0))
    logarithms = np.floor(np.log(np.maximum(numbers, 1)) ** 2).astype(np.int64)
    return pa.array(np.where(numbers > 2, logarithms, numbers))
