"""A prepared log and a model of its fields."""

import keras
import numpy as np
import pytest

from interhat_tf import prepare_click_log
from interhat_tf.models import FM
from tests.numpy_reference import randomise

APPS = ["maps", "mail", "chat", ""]


def write_log(path, rows=300, seed=0, label=True):
    """Writes a CSV log whose rows hold a comma, an unknown app, or no price, now and then."""
    random = np.random.default_rng(seed)
    lines = ["click,user,note,app,price,time" if label else "user,note,app,price,time"]
    for row in range(rows):
        note = '"a, b"' if row % 50 == 7 else f"n{row}"
        app = "games" if row % 10 == 3 and seed else APPS[random.integers(4)]
        price = "" if row % 9 == 2 else f"{random.random():.1f}0"
        line = (
            f"u{random.integers(9)},{note},{app},{price},2024-01-0{random.integers(1, 9)} 07:30:00"
        )
        lines.append(f"{random.integers(2)},{line}" if label else line)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scored")
    log = write_log(folder / "clicks.csv")
    return prepare_click_log(log, name="clicks", data_dir=folder, exclude="note")


@pytest.fixture
def model(data):
    keras.utils.set_random_seed(0)
    return randomise(FM(data.schema, embedding_dim=4))
