"""A plugin of pytest that makes the kernels' tests use the library that `sanitized` has built."""

import os
import pathlib

from interhat_tf import kernels
from interhat_tf.kernels import library
from tests.kernels.sanitized import LIBRARY


def pytest_configure():
    kernels.LIBRARY = library.LIBRARY = pathlib.Path(os.environ[LIBRARY])
