"""A package beside this one adds a model and a data set, of which the commands then know."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pandas as pd
import pytest

ENTRY_POINTS = """
    [interhat_tf.models]
    sum_of_embeddings = other_package:SumOfEmbeddings

    [interhat_tf.datasets]
    rows_of_ten = other_package:RowsOfTen
"""

PACKAGE = '''
    import keras
    import numpy as np
    import pyarrow as pa
    import tensorflow_datasets as tfds

    from interhat_tf.models import ClickModel
    from interhat_tf.preprocessing.builder import ClickLogBuilder
    from interhat_tf.preprocessing.fields import Categorical
    from interhat_tf.preprocessing.rows import Rows


    @keras.saving.register_keras_serializable("other_package")
    class SumOfEmbeddings(ClickModel):
        """logit = w . sum_i e_i.

        Args:
            schema: The fields.
            spread_of_ten: An argument of no other model.
        """

        def __init__(self, schema, *, spread_of_ten: int = 10, **kwargs):
            super().__init__(schema, **kwargs)
            self.embedding = self._make_embedding(spread_of_ten, "glorot_uniform", 0.0)
            self.output_layer = keras.layers.Dense(1)
            self.build()

        def call(self, inputs):
            return self.output_layer(keras.ops.sum(self.embedding(inputs), axis=1))


    class Chunk:
        rows = 1000


    class RowsOfTen(ClickLogBuilder):
        """A log whose rows' app clicks in its turn."""

        VERSION = tfds.core.Version("1.0.0")
        fields = [Categorical("app"), Categorical("day")]

        def _chunks(self, dl_manager):
            return [Chunk()]

        def _read_chunk(self, chunk):
            rows = np.arange(1000)
            apps = [f"app{row % 10}" for row in rows]
            values = pa.table({"app": apps, "day": [f"day{row % 7}" for row in rows]})
            splits = np.repeat([0, 1, 2], [800, 100, 100]).astype(np.int8)
            return Rows(values, (rows % 10 < 3).astype(np.uint8), splits, "log", 1, 0)
'''


@pytest.fixture
def interhat(tmp_path):
    """Runs `python -m interhat` where the package is installed; returns what it prints."""
    (tmp_path / "other_package.py").write_text(textwrap.dedent(PACKAGE))
    info = tmp_path / "other_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other_package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
    root = pathlib.Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{tmp_path}"}

    def run(*arguments):
        command = [sys.executable, "-m", "interhat", *arguments]
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
def test_a_model_and_a_data_set_of_another_package(interhat, tmp_path):
    assert "--spread_of_ten: An argument of no other model" in interhat("train", "--help")
    run = ["--dataset=rows_of_ten", "--model=sum_of_embeddings", "--spread_of_ten=4"]
    said = interhat("train", *run, "--output_dir=run", "--max_epochs=30", "--learning_rate=0.05")
    auc = float(said.partition("test: auc ")[2].partition(",")[0])
    assert auc > 0.99
    (tmp_path / "ads.csv").write_text("app,day\napp1,day3\napp5,day3\n")
    files = ["--log=ads.csv", "--output=scored.csv"]
    interhat("score", "--dataset=rows_of_ten", "--run=run", "--reasons=1", *files)
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert scored.probability[0] > 0.5 > scored.probability[1]
    assert list(scored.reason_1) == ["app = app1", "app = app5"]
