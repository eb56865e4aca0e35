"""Prepared sets that many tests read."""

import pytest

from interhat_tf.input_pipeline import blocks, shuffled_batches
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing import shuffle
from tests.input_pipeline.small_log import SmallLogBuilder


@pytest.fixture(scope="package")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shuffle, "BLOCK_ROWS", 64)
        builder = SmallLogBuilder(data_dir=tmp_path_factory.mktemp("prepared"))
        builder.download_and_prepare()
    return PreparedDataset(builder)


@pytest.fixture(scope="package")
def several_files(tmp_path_factory):
    """A prepared set whose training rows lie in several files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shuffle, "BLOCK_ROWS", 64)
        patch.setattr(shuffle, "PARTITION_ROWS", 300)
        builder = SmallLogBuilder(data_dir=tmp_path_factory.mktemp("files"))
        builder.download_and_prepare()
    data = PreparedDataset(builder)
    assert len(data.files("train")) > 3
    return data


@pytest.fixture
def small_windows(monkeypatch):
    # 25 blocks in windows of 4 batches.
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    monkeypatch.setattr(shuffled_batches, "WINDOW_ROWS", 7 * 64)
