"""Tests of the preparation by Apache Beam: it gives the very files of one machine."""

import dataclasses
import pathlib

import pytest

from interhat_tf.input_pipeline.catalog import prepare
from interhat_tf.preprocessing import shuffle
from tests.preprocessing.logs import (
    Chunk,
    ListsLogBuilder,
    MixedLogBuilder,
    assert_nothing_finished,
    file_bytes,
)

pipeline_options = pytest.importorskip("apache_beam.options.pipeline_options")

ROOT = pathlib.Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class CompressedChunk(Chunk):
    """A chunk as it is of a compressed file."""

    path: str
    data: bytes


class CompressedBuilder(MixedLogBuilder, skip_registration=True):
    def _chunks(self, dl_manager):
        yield CompressedChunk(0, 7, "log.csv.gz", b"")
        raise AssertionError("all of the file was read")


class BeamBuilder(ListsLogBuilder, skip_registration=True):
    name = "lists_log_builder"
    options = None

    def _shard_iterators_per_split(self, dl_manager):
        iterators = super()._shard_iterators_per_split(dl_manager)
        # What is left is tfds' pipeline for each split; a worker takes seconds to start.
        self.options.view_as(pipeline_options.DirectOptions).direct_num_workers = 1
        return iterators


def options(*arguments):
    return pipeline_options.PipelineOptions(["--runner=DirectRunner", *arguments])


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_files_are_those_of_one_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(shuffle, "PARTITION_ROWS", 1_000)
    local = ListsLogBuilder(data_dir=tmp_path / "local")
    prepare(local)
    distributed = BeamBuilder(data_dir=tmp_path / "beam")
    distributed.options = options(
        "--direct_running_mode=multi_processing", "--direct_num_workers=2"
    )
    dataset = prepare(distributed, beam_options=distributed.options)
    for split in ("train", "validation", "test"):
        dataset.check(split)
    files = file_bytes(distributed)
    assert len(files) == 3 + 1 + 1 + 1
    assert files == file_bytes(local)


def test_compressed_files_are_refused(tmp_path):
    message = r"^log\.csv\.gz: several workers cannot read chunks of a compressed file; decompress"
    with pytest.raises(ValueError, match=message):
        prepare(CompressedBuilder(data_dir=tmp_path), beam_options=options())
    assert_nothing_finished(tmp_path)
