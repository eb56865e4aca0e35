"""What logs have in common whose rows stand in files."""

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from interhat_tf.preprocessing.log_files import file_sizes


@dataclasses.dataclass(frozen=True)
class FileLog:
    """A log of files.

    Args:
        paths: The files, in order.
    """

    paths: list[str]

    @property
    def identity(self) -> list[list[Any]]:
        """Each file's path and size."""
        return file_sizes(self.paths)

    @property
    @abstractmethod
    def chunks(self) -> Iterable[Any]:
        """The log's chunks."""

    @functools.cached_property
    def rows(self) -> int:
        """Number of rows."""
        return sum(chunk.rows for chunk in self.chunks)
