"""What the embeddings of numbers are worth: each model with each of them, on the same rows.

    python -m experiments.tuning.numerical_embeddings
    python -m experiments.tuning.numerical_embeddings --criteo=FOLDER/train.txt
    python -m experiments.tuning.numerical_embeddings --table=diamonds.csv --above=price
    python -m experiments.tuning.numerical_embeddings --movielens_dir=FOLDER

Without a flag, logs are generated whose clicks follow from the intervals that Criteo's counts are
in, not from their order; the best possible AUC is known. `--criteo` is a log in Criteo's format, of
which all fields are read. `--table` is a CSV file, of which `--above` names a number: a record is
to be told to have more than the median of it; the package plotnine ships such a table, 53,940
diamonds, as `plotnine/data/diamonds.csv`. `--movielens_dir` is the folder of MovieLens-1M's files:
whether a user gives a movie four stars or five, a movie's year and a user's age being numbers.
Numbers are on the default scale. A seed draws the log or its split, 70% for training, 10% to
choose the epoch and 20% for the test, and the model's first weights. Nothing is searched:
embeddings have their defaults. Writes `numerical_embeddings/LOG/MODEL.json`; `--embedding_models`
names some of the models.
"""

import gzip
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from absl import flags

from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import METRICS
from experiments.generated_logs.generator import generate
from experiments.tuning.number_scales import compared, on_scale
from interhat_tf import Field, InterHAt, Schema
from interhat_tf.datasets.movielens_ctr.likes import LIKED
from interhat_tf.datasets.movielens_ctr.raw_files import (
    AGES,
    raw_files,
    read_movies,
    read_ratings,
    read_users,
)
from interhat_tf.errors import SettingError
from interhat_tf.layers import NUMBER_EMBEDDINGS, PRODUCT
from interhat_tf.models import DNN
from interhat_tf.schema import Batch
from interhat_tf.training import Adam, EarlyStopping, evaluate_batches

CRITEO = flags.DEFINE_string("criteo", None, "log in Criteo's format, plain or .gz")
TABLE = flags.DEFINE_string("table", None, "CSV file with a header")
ABOVE = flags.DEFINE_string("above", None, "the table's number whose median parts the records")
MOVIELENS = flags.DEFINE_string("movielens_dir", None, "folder of MovieLens-1M's files")
ROWS = flags.DEFINE_integer(
    "embedded_rows", 30_000, "rows of a generated log; of another one at most", lower_bound=1000
)

CHOSEN = flags.DEFINE_multi_enum(
    *("embedding_models", ["tuned", "dnn", "paper"], ["tuned", "dnn", "paper"], "models to train")
)

EMBEDDINGS = (PRODUCT, *NUMBER_EMBEDDINGS)
EPOCHS = 15
MIN_COUNT = 10
"""Training rows that a category has to have an id of its own."""

Columns = tuple[pd.DataFrame, np.ndarray]
"""Columns of a log, numbers as floats and categories as text, and labels (rows,)."""

Rows = tuple[Schema, list[tuple[Batch, np.ndarray]]]
"""The schema, and the inputs and labels of training, validation and test."""

Build = Callable[[Schema, int, str], keras.Model]
"""A function of a schema, the number of training rows and an embedding."""


def main(_):
    sources = {"criteo": CRITEO, "table": TABLE, "movielens": MOVIELENS}
    name = next((name for name, flag in sources.items() if flag.value), "generated")
    logs, best = {}, []
    for seed in SEEDS.value:
        columns, labels, possible = read(seed)
        logs[seed] = split(columns, labels, seed)
        best += [possible] if possible else []
    rows = sum(len(labels) for _, labels in logs[SEEDS.value[0]][1])
    about = record(seeds=list(SEEDS.value), rows=rows)
    if best:
        about["best"] = {metric: float(np.mean([b[metric] for b in best])) for metric in METRICS}
    if TABLE.value:
        about |= {"table": pathlib.Path(TABLE.value).name, "above": ABOVE.value}
    for model in CHOSEN.value:
        embeddings = compare(MODELS[model], logs)
        write_result(f"numerical_embeddings/{name}/{model}.json", {**about, "numbers": embeddings})


def compare(build: Build, logs: Mapping[int, Rows]) -> dict[str, Any]:
    """Returns the metrics of a model with each embedding, and what it gains on the product."""
    found: dict[str, Any] = {}
    for embedding in EMBEDDINGS:
        runs = [run(build, log, embedding, seed) for seed, log in logs.items()]
        metrics = {metric: [values[metric] for values in runs] for metric in METRICS}
        found[embedding] = compared(metrics, found.get(PRODUCT, {}))
        means = (f"{metric} {np.mean(values):.4f}" for metric, values in metrics.items())
        print(embedding, *means, flush=True)
    return found


def paper(schema: Schema, rows: int, embedding: str) -> keras.Model:
    """Returns the preset `paper`."""
    return InterHAt.from_preset("paper", schema, rows=rows, numerical_embedding=embedding)


def tuned(schema: Schema, rows: int, embedding: str) -> keras.Model:
    """Returns the preset `tuned`."""
    return InterHAt.from_preset("tuned", schema, rows=rows, numerical_embedding=embedding)


def dnn(schema: Schema, rows: int, embedding: str) -> keras.Model:
    """Returns a small DNN."""
    return DNN(schema, mlp_units=(64, 64), embedding_l2=1e-5, numerical_embedding=embedding)


MODELS: dict[str, Build] = {"tuned": tuned, "dnn": dnn, "paper": paper}


def run(build: Build, log: Rows, embedding: str, seed: int) -> dict[str, float]:
    """Trains a model and returns its metrics on the test rows."""
    keras.utils.set_random_seed(seed)
    schema, parts = log
    train, validation, test = (tf.data.Dataset.from_tensor_slices(part) for part in parts)
    inputs, labels = parts[0]
    model = build(schema, len(labels), embedding)
    model.adapt_numbers([inputs])
    model.compile(Adam(2e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    stopping = EarlyStopping(validation.batch(8192), criterion="logloss")
    batches = train.shuffle(len(labels), seed=seed).batch(512)
    model.fit(batches, epochs=EPOCHS, callbacks=[stopping], verbose=0)
    return evaluate_batches(test.batch(8192), model.predict_on_batch)


def read(seed: int) -> tuple[pd.DataFrame, np.ndarray, dict[str, float] | None]:
    """Returns the columns and labels of a log, rows in random order, and its best metrics."""
    best = None
    if CRITEO.value:
        columns, labels = read_criteo(CRITEO.value)
    elif TABLE.value:
        columns, labels = read_table(TABLE.value, ABOVE.value)
    elif MOVIELENS.value:
        columns, labels = read_movielens(MOVIELENS.value)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/train.txt"
            best = generate(path, "criteo_numbers", ROWS.value, seed)["best"]
            columns, labels = read_criteo(path)
        # Clicks do not follow from categories: these would be noise, and most of the time.
        columns = columns.filter(regex="^I")
    order = np.random.default_rng(seed).permutation(len(labels))[: ROWS.value]
    return columns.iloc[order], labels[order], best


def read_criteo(path: str) -> Columns:
    """Reads a log in Criteo's format: I1 to I13, C1 to C26."""
    numbers, texts = ([f"{kind}{i}" for i in range(1, n + 1)] for kind, n in (("I", 13), ("C", 26)))
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
        types = {"label": "float32", **dict.fromkeys(numbers, float), **dict.fromkeys(texts, str)}
        columns = pd.read_csv(
            file, sep="\t", names=list(types), dtype=types, keep_default_na=False, na_values=[""]
        )
    labels = columns.pop("label").to_numpy()
    return columns, labels


def read_table(path: str, above: str | None) -> Columns:
    """Reads a table, and labels the rows in which a number is above its median."""
    columns = pd.read_csv(path)
    if above not in columns:
        raise SettingError(f"--above names no column of {path}: {', '.join(columns)}")
    numbers = columns.pop(above)
    return columns, (numbers > numbers.median()).to_numpy("float32")


def read_movielens(folder: str) -> Columns:
    """Reads the ratings of MovieLens-1M, and labels those that say that a user liked a movie.

    An age is the lowest of the group in which the file has it.
    """
    paths = raw_files(folder)
    users, movies = read_users(paths["users"]), read_movies(paths["movies"])
    ratings = read_ratings(paths["ratings"], users, movies)
    lowest_age = {group: float(age) for age, group in AGES.items()}
    of_users, of_movies = users.to_pandas(), movies.to_pandas()[["movie", "year", "genres"]]
    of_users["age"] = of_users["age"].map(lowest_age)
    of_movies["year"] = of_movies["year"].astype(float)
    of_movies["genres"] = of_movies["genres"].str.join("|")
    parts = [of_users.iloc[ratings[:, 0]], of_movies.iloc[ratings[:, 1]]]
    columns = pd.concat([part.reset_index(drop=True) for part in parts], axis=1)
    return columns, (ratings[:, 2] >= LIKED).astype("float32")


def split(columns: pd.DataFrame, labels: np.ndarray, seed: int) -> Rows:
    """Encodes columns as training rows have it, and parts the rows."""
    train, test = len(labels) * 7 // 10, len(labels) * 8 // 10
    numerical = [name for name, column in columns.items() if column.dtype.kind in "if"]
    numbers = [on_scale(columns[n].to_numpy("float64"), train, "log") for n in numerical]
    categorical = {n: encode(columns[n], train) for n in columns if n not in numerical}
    fields = [Field(n, "categorical", int(ids.max()) + 1) for n, ids in categorical.items()]
    fields += [Field(name, "numerical", may_be_missing=True) for name in numerical]
    inputs = {"numerical": np.column_stack(numbers).astype("float32")}
    if categorical:
        inputs["categorical"] = np.column_stack(list(categorical.values())).astype("int32")
    parts = [slice(train), slice(train, test), slice(test, None)]
    return Schema(fields), [
        ({kind: values[part] for kind, values in inputs.items()}, labels[part]) for part in parts
    ]


def encode(column: pd.Series, train: int) -> np.ndarray:
    """Returns ids of categories, 0 of those that too few training rows have."""
    texts = column.fillna("").astype(str)
    counts = texts[:train].value_counts()
    known = sorted(counts.index[counts >= MIN_COUNT])
    return texts.map({text: i for i, text in enumerate(known, start=1)}).fillna(0).to_numpy(int)


if __name__ == "__main__":
    run_program(main)
