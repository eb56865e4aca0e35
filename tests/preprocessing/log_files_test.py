"""Tests of finding a log's files and of opening compressed ones."""

import gzip
import zlib

import pyarrow as pa
import pytest

from interhat_tf.preprocessing.log_files import log_files, manual_folder
from interhat_tf.preprocessing.text_chunks import (
    text_chunks,
)
from tests.preprocessing.text_files import expected_rows, log_lines, read_rows


@pytest.mark.parametrize(
    "name", ["train.txt", "train.txt.gz", "train.txt.zst", "train", "train.gz", "train.zst"]
)
def test_log_file(tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "test.txt").touch()
    expected = [str(tmp_path / name)]
    assert log_files(tmp_path, ["train.txt", "train"], "somewhere") == expected
    assert log_files(tmp_path / name, ["another name"], "somewhere") == expected


@pytest.mark.parametrize("folder", ["train.txt", "train"])
def test_folder_of_parts(tmp_path, folder):
    parts = tmp_path / folder
    parts.mkdir()
    for name in ("part-2.gz", "part-1", "_SUCCESS", ".part-1.crc", "part-3.zst"):
        (parts / name).touch()
    expected = [str(parts / name) for name in ("part-1", "part-2.gz", "part-3.zst")]
    assert log_files(tmp_path, ["train.txt", "train"], "somewhere") == expected
    assert log_files(parts, ["train.txt", "train"], "somewhere") == expected


def test_missing_log(tmp_path):
    (tmp_path / "train.txt").mkdir()
    (tmp_path / "test.txt").touch()
    with pytest.raises(FileNotFoundError) as error:
        log_files(tmp_path, ["train.txt", "train"], "example.org")
    assert str(error.value) == (
        f"{tmp_path / 'train.txt'} is missing: get it from example.org and store it as train.txt "
        f"or train, plain or compressed (.gz, .zst), in the original files' folder"
    )


def test_manual_folder(tmp_path):
    class Manager:
        def __init__(self, folder, error=None):
            self._manual_dir, self.error = folder, error

        @property
        def manual_dir(self):
            if self.error:
                raise self.error
            return self._manual_dir

    assert manual_folder(Manager(tmp_path)) == tmp_path
    file = tmp_path / "my log.txt"
    assert manual_folder(Manager(file, NotADirectoryError())) == file
    assert str(manual_folder(Manager(None, AssertionError()))) == "<manual_dir>"


@pytest.mark.parametrize("compress", [gzip.compress, lambda data: pa.compress(data, "zstd", True)])
def test_concatenated_compressed_files(tmp_path, compress):
    lines = log_lines(20)
    path = tmp_path / ("log.gz" if compress is gzip.compress else "log.zst")
    parts = ["\n".join(lines[:10]) + "\n", "\n".join(lines[10:]) + "\n"]
    path.write_bytes(b"".join(compress(part.encode()) for part in parts))
    assert read_rows(text_chunks([str(path)])) == expected_rows(lines)


def deflate_block():
    """A gzip file that is cut off after a whole block of its content."""
    stream = zlib.compressobj(wbits=31)
    return stream.compress("\n".join(log_lines(1_000)).encode()) + stream.flush(zlib.Z_FULL_FLUSH)


@pytest.mark.parametrize("kind", ["half", "trailer", "block", "junk", "checksum", "text", "zeros"])
def test_damaged_gzip(tmp_path, kind):
    whole = gzip.compress("\n".join(log_lines(1_000)).encode())
    content = {
        "half": whole[: len(whole) // 2],
        "trailer": whole[:-8],
        "block": deflate_block(),
        "junk": whole + b"junk",
        "checksum": whole[:-8] + bytes(4) + whole[-4:],
        "text": b"0\t1\t2\ta\n",
        "zeros": bytes(100),
    }[kind]
    path = tmp_path / "log.txt.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"log.txt.gz: the gzip file is cut off or damaged \(.+\)"):
        list(text_chunks([str(path)]))


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_damaged_zstd(tmp_path, kept):
    whole = pa.compress("\n".join(log_lines(1_000)).encode(), "zstd", True)
    path = tmp_path / "log.txt.zst"
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"log.txt.zst: the zstd file is cut off or damaged"):
        list(text_chunks([str(path)]))
