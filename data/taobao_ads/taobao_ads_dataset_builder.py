"""Taobao's display ads: who clicked which ad, and what they had looked at and bought before."""

import functools
from collections.abc import Sequence

import tensorflow_datasets as tfds

from interhat_tf.errors import SettingError
from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.fields import Categorical, Numerical, RawField, Sequential
from interhat_tf.preprocessing.log_files import log_files, manual_folder

from .raw_files import (
    AD,
    COLUMNS,
    PROFILE,
    chunks_of,
    read_ads,
    read_behaviours,
    read_impressions,
    read_profiles,
)
from .user_partitions import DAY, MAX_HISTORY, ZONE, UserPartition, distribute

SOURCE = "https://tianchi.aliyun.com/dataset/56"

MIN_COUNT = 10
"""Values in fewer training rows are out of vocabulary, as in BARS' TaobaoAd_x1."""


class Builder(ClickLogBuilder):
    """Builds click records from the four files of Taobao's ad log."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "All impressions, with histories, split by day."}  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    {", ".join(f"{name}.csv" for name in COLUMNS)} of {SOURCE}, in one folder,
    plain or compressed (.gz, .zst).
    """

    @property
    def fields(self) -> Sequence[RawField]:
        """The user, the ad and its place, the user's profile, the hour, and two histories."""
        names = ("user", "pid", *AD[:-1], *PROFILE, "hour")
        return [
            *(Categorical(name, MIN_COUNT) for name in names),
            Numerical("price", "log"),
            Sequential("cate_history", shares="cate", max_length=MAX_HISTORY),
            Sequential("brand_history", shares="brand", max_length=MAX_HISTORY),
        ]

    def _files(self, folder):
        return [path for paths in _paths(folder).values() for path in paths]

    def _chunks(self, dl_manager):
        paths, folder = _paths(manual_folder(dl_manager)), self._folder("users")
        if "://" in str(folder):
            raise SettingError(
                f"{folder}: the logs are sorted by user in files of this folder, which must be "
                f"on a disk or a network file system; prepare the set there and copy it"
            )
        read = functools.partial(
            read_impressions,
            ads=read_ads(paths["ad_feature"]),
            profiles=read_profiles(paths["user_profile"]),
        )
        chunks = chunks_of("raw_sample", paths["raw_sample"])
        counts, latest = distribute(chunks, read, folder / "impressions", "Sorting impressions")
        read = functools.partial(read_behaviours, before=latest)
        chunks = chunks_of("behavior_log", paths["behavior_log"])
        distribute(chunks, read, folder / "behaviours", "Sorting behaviours")
        last_day, source = (latest + ZONE) // DAY, paths["raw_sample"][0]
        first_rows = counts.cumsum() - counts
        return [
            UserPartition(
                folder / "impressions" / str(number),
                folder / "behaviours" / str(number),
                int(counts[number]),
                int(first_rows[number]),
                last_day,
                source,
            )
            for number in counts.nonzero()[0]
        ]

    def _read_chunk(self, chunk):
        return chunk.read()

    def _shard_iterators_per_split(self, dl_manager):
        files = super()._shard_iterators_per_split(dl_manager)
        self._folder("users").rmtree()
        return files


def _paths(folder):
    """Returns the parts of each file."""
    return {name: log_files(folder, [f"{name}.csv"], SOURCE) for name in COLUMNS}
