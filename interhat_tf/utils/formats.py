"""The number of the form that files have, so that those of a later version are known as such.

Prepared sets have it in `metadata.json`, runs in `config.json`, models in `assets/format.json` of
their `.keras` file. Files of version 0.1, and of the time before there was a number, have none;
they are of form 1, which has only been added to since. Exported models, which are read by other
programs, have a number of their own.
"""

import os
from typing import Any

from interhat_tf.errors import SettingError

FORMAT_ASSET = "format.json"
"""The asset of a `.keras` file that has the number."""

FORMAT = 1
"""The form of the files that are written. It rises with a change that code before cannot read."""

EXPORT_FORMAT = 1
"""The form of exported models: what they take, return and say of themselves."""


def check_format(path: str | os.PathLike, format: Any) -> None:
    """Raises an error if a file is of a form that this version does not know.

    Args:
        path: The file, for the message.
        format: The number that it has, or `None`.

    Raises:
        SettingError: If it is a higher one.

    Example:

    >>> check_format("runs/ads/config.json", 7)
    Traceback (most recent call last):
    interhat_tf.errors.SettingError: runs/ads/config.json is of form 7, of a later version of \
interhat_tf; this one reads up to 1: update it
    """
    if format not in (None, *range(1, FORMAT + 1)):
        raise SettingError(
            f"{path} is of form {format}, of a later version of interhat_tf; this one reads up to "
            f"{FORMAT}: update it"
        )
