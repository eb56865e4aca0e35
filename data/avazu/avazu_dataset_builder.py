"""Avazu's click-through rate challenge: a row is a mobile ad and whether it was clicked.

All columns are categories; some are hashed, C1 and C14 to C21 have no public meaning.
"""

import dataclasses
import datetime
import re

import pyarrow as pa
import tensorflow_datasets as tfds

from interhat_tf.errors import SettingError
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.checks import binary_labels, check_values
from interhat_tf.preprocessing.fields import Categorical
from interhat_tf.preprocessing.log_files import log_files, manual_folder
from interhat_tf.preprocessing.rows import Rows, random_splits
from interhat_tf.preprocessing.text_chunks import TextChunk, log_chunks
from interhat_tf.preprocessing.text_parsing import parse

COLUMNS = (
    "id",
    "click",
    "hour",
    "C1",
    "banner_pos",
    "site_id",
    "site_domain",
    "site_category",
    "app_id",
    "app_domain",
    "app_category",
    "device_id",
    "device_ip",
    "device_model",
    "device_type",
    "device_conn_type",
    *(f"C{number}" for number in range(14, 22)),
)
FIELDS = COLUMNS[2:]

RELEASED_FIELDS = tuple(name for name in FIELDS if name not in ("device_id", "device_ip"))

FILE_NAMES = ("train.csv", "train")
SOURCE = "https://www.kaggle.com/c/avazu-ctr-prediction"


@dataclasses.dataclass(kw_only=True)
class AvazuConfig(tfds.core.BuilderConfig):
    """Which rows and columns of the log are taken, and what the hour becomes.

    Args:
        share: Which part of the rows to take, from the first on. Defaults to
            1.0: all.
        columns: Names of the columns that become fields. Defaults to all but
            `id` and `click`.
        split_hour: Whether `hour`, YYMMDDHH in the log, becomes the hour of the
            day, `00` to `23`, and two further fields: `weekday`, `0` (Sunday)
            to `6`, and `weekend`, `0` or `1`.
        min_count: Values in fewer training rows than this are out of vocabulary.
    """

    share: float = 1.0
    columns: tuple[str, ...] = FIELDS
    split_hour: bool = False
    min_count: int = 1

    def __post_init__(self):
        if self.split_hour and "hour" not in self.columns:
            raise SettingError("split_hour needs the column hour")


class Builder(ClickLogBuilder):
    """Builds Avazu from `train.csv`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The paper's rows, and all."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        AvazuConfig(
            name="paper",
            description="The first 30% of the rows and the released code's 20 fields.",
            share=0.3,
            columns=RELEASED_FIELDS,
        ),
        AvazuConfig(
            name="all_fields",
            description="All rows and fields, in the way of the benchmark BARS' Avazu_x4.",
            split_hour=True,
            min_count=2,
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    train.gz from {SOURCE}, as it is, as train.csv, train.csv.gz or train.csv.zst,
    or as a folder train.csv or train of parts.
    """

    @property
    def fields(self) -> list[Categorical]:
        """The configuration's columns, and what is made of the hour."""
        config = self.builder_config
        names = config.columns + (("weekday", "weekend") if config.split_hour else ())
        return [Categorical(name, config.min_count) for name in names]

    def _files(self, folder):
        return log_files(folder, FILE_NAMES, SOURCE)

    def _chunks(self, dl_manager):
        paths = self._files(manual_folder(dl_manager))
        return log_chunks(paths, share=self.builder_config.share, header=COLUMNS, delimiter=",")

    def _read_chunk(self, chunk: TextChunk) -> Rows:
        config = self.builder_config
        types = dict.fromkeys(COLUMNS, pa.string())
        values = parse(chunk, types, delimiter=",", include=["click", *config.columns])
        labels = binary_labels(values["click"], chunk, "click")
        values = values.select(config.columns)
        if config.split_hour:
            values = _split_hour(values, chunk)
        splits = random_splits(chunk.first_row, chunk.rows)
        return Rows(values, labels, splits, chunk.path, chunk.first_line, chunk.first_row)


def _split_hour(values, chunk):
    """Replaces `hour` by the hour of the day and appends `weekday` and `weekend`."""
    hours = values["hour"].combine_chunks().dictionary_encode()
    times = [_time(text) for text in hours.dictionary.to_pylist()]
    right = pa.array([time is not None for time in times]).take(hours.indices)
    rule = "an hour is YYMMDDHH, say 14102100"
    check_values(right, values["hour"], chunk, "hour", rule)
    weekdays = [time.isoweekday() % 7 for time in times]

    def column(names):
        return pa.array(names, pa.string()).take(hours.indices)

    position = values.column_names.index("hour")
    values = values.set_column(position, "hour", column([f"{time.hour:02}" for time in times]))
    values = values.append_column("weekday", column([str(day) for day in weekdays]))
    return values.append_column("weekend", column([str(int(day in (0, 6))) for day in weekdays]))


def _time(text):
    """Returns the time that YYMMDDHH stands for, or `None` if there is no such time."""
    if not re.fullmatch("[0-9]{8}", text):
        return None
    try:
        return datetime.datetime.strptime(text, "%y%m%d%H")
    except ValueError:
        return None
