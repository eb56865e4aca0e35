"""A prepared set that many tests read, and small partitions."""

import pytest

from interhat_tf.preprocessing import shuffle
from tests.preprocessing.logs import LogBuilder


@pytest.fixture(scope="package")
def prepared(tmp_path_factory):
    builder = LogBuilder(data_dir=tmp_path_factory.mktemp("prepared"))
    builder.download_and_prepare()
    return builder


@pytest.fixture
def small_partitions(monkeypatch):
    monkeypatch.setattr(shuffle, "BLOCK_ROWS", 64)
    monkeypatch.setattr(shuffle, "PARTITION_ROWS", 256)
