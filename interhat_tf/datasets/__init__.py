"""The data set builders. An installed library has them here; in a checkout they are in `data/`."""

import pathlib

__path__.append(str(pathlib.Path(__file__).parents[2] / "data"))
