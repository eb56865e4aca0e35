"""The format number of files, by which those of a later version are recognised.

Prepared sets have it in `metadata.json`, runs in `config.json`, models in `assets/format.json` of
their `.keras` file. Files of version 0.1, and of the time before there was a number, have none;
they have format 1, which has only been added to since. Exported models, which other programs read,
have numbers of their own.
"""

import os
from typing import Any

from interhat_tf.errors import SettingError

FORMAT_ASSET = "format.json"
"""The asset of a `.keras` file that has the number."""

FORMAT = 1
"""The format of the files that are written. It rises with a change that older code cannot read."""

EXPORT_FORMAT = 1
"""The format of exported models: what they take, return and say about themselves."""


def check_format(path: str | os.PathLike, format: Any) -> None:
    """Raises an error if a file has a format that this version does not know.

    Args:
        path: The file, for the message.
        format: The number that it has, or `None`.

    Raises:
        SettingError: If it is a higher one.

    Example:

    >>> check_format("runs/ads/config.json", 7)
    Traceback (most recent call last):
    interhat_tf.errors.SettingError: runs/ads/config.json has format 7, of a later version of \
interhat_tf; this version reads formats up to 1: update it
    """
    if format not in (None, *range(1, FORMAT + 1)):
        raise SettingError(
            f"{path} has format {format}, of a later version of interhat_tf; this version reads "
            f"formats up to {FORMAT}: update it"
        )
