"""A generated log of Criteo's format as a log of one's own: with a line that names the columns."""

import pathlib

from interhat_tf.input_pipeline.click_log import prepare_click_log
from interhat_tf.input_pipeline.dataset import PreparedDataset

NUMBERS = [f"i{i}" for i in range(1, 14)]
CATEGORIES = [f"c{i}" for i in range(1, 27)]
COLUMNS = ["click", *NUMBERS, *CATEGORIES]
HEADER = "\t".join(COLUMNS) + "\n"


def prepare_own(
    log: pathlib.Path, name: str, folder: pathlib.Path, min_count: int = 1
) -> PreparedDataset:
    """Returns the prepared set of such a log, which lies in a folder of prepared sets."""
    return prepare_click_log(
        log,
        name=name,
        data_dir=folder,
        numerical=NUMBERS,
        categorical=CATEGORIES,
        min_count=min_count,
    )
