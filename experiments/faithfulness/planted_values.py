"""Whether each method finds the one value of a bag or a history that a click depends on.

    python -m experiments.faithfulness.planted_values

Records have a bag of up to six of twenty tags, or a history of up to six of the twenty items that
one of its fields has; a click is likely (0.8) where a planted value is among them, and unlikely
(0.2) elsewhere. A small InterHAt, which pools by attention, is trained with each of `--seeds`,
which draws the records and the value too. Of the test records that have the value and another one,
each method says which value counts most: the field's own attention, effects of single values,
exact Shapley values of the values' presence (the package shap), and, beside them, chance. A
method has found the value if it is first in most of the records. Writes
`faithfulness/planted_values/KIND.json` among the results. Some five minutes on one core.
"""

from typing import Any

import keras
import numpy as np
import shap

from experiments.common.markdown import markdown_table
from experiments.common.results import record, write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_interval, share_interval
from interhat_tf import Field, InterHAt, Schema
from interhat_tf.explanation.attributions import value_effects
from interhat_tf.explanation.batches import predict
from interhat_tf.schema import CATEGORICAL, MULTIVALUED, PADDING, Batch
from interhat_tf.training import Adam
from interhat_tf.training.metrics import auc

TRAINING, TEST, EXPLAINED = 5_000, 2_000, 50
VALUES, LONGEST = 20, 6
RATES = 0.8, 0.2
FIELDS = {
    "bag": (
        Field("user", "categorical", 51),
        Field("tags", "multivalued", VALUES + 1, max_length=LONGEST),
    ),
    "history": (
        Field("item", "categorical", VALUES + 1),
        Field("history", "sequence", VALUES + 1, max_length=LONGEST, shares="item"),
    ),
}


def main(_):
    rows = []
    for kind, fields in FIELDS.items():
        runs = [run(Schema(fields), seed) for seed in SEEDS.value]
        methods = {name: figures([r["first"][name] for r in runs]) for name in runs[0]["first"]}
        about = {"seeds": list(SEEDS.value), "auc": mean_interval([r["auc"] for r in runs])}
        summary = record(**about, kind=kind, records=EXPLAINED, methods=methods)
        write_result(f"faithfulness/planted_values/{kind}.json", summary)
        rows += [
            [kind, name, f"{row['found']} of {row['of']}", f"{row['first']['mean']:.2f}"]
            for name, row in methods.items()
        ]
    print(markdown_table(["kind", "method", "found", "first in a record"], rows))


def figures(first: list[float]) -> dict[str, Any]:
    """Returns in how many models a value is first in most records, and the mean share of them."""
    return {**share_interval([share > 0.5 for share in first]), "first": mean_interval(first)}


def run(schema: Schema, seed: int) -> dict[str, Any]:
    """Trains a model and returns its AUC, and in which share of records each method is right."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    planted = int(rng.integers(1, VALUES + 1))
    inputs, labels = draw(schema, rng, planted)
    train, test = (
        {kind: values[part] for kind, values in inputs.items()}
        for part in (slice(TRAINING), slice(TRAINING, None))
    )
    model = InterHAt(schema, embedding_dim=8, order=2)
    model.compile(Adam(3e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(train, labels[:TRAINING], epochs=6, batch_size=100, verbose=0)
    values = test[MULTIVALUED]
    chosen = np.flatnonzero((values == planted).any(1) & ((values != PADDING).sum(1) > 1))
    explained = {kind: values[chosen[:EXPLAINED]] for kind, values in test.items()}
    return {
        "auc": auc(labels[TRAINING:], predict(model, test)),
        "first": {
            name: float(np.mean(is_first(scores, explained[MULTIVALUED], planted)))
            for name, scores in scores_of(model, explained, rng).items()
        },
    }


def draw(schema: Schema, rng: np.random.Generator, planted: int) -> tuple[Batch, np.ndarray]:
    """Returns records and their labels."""
    rows = TRAINING + TEST
    values = rng.permuted(np.tile(np.arange(1, VALUES + 1), (rows, 1)), axis=1)[:, :LONGEST]
    values[np.arange(LONGEST) >= rng.integers(0, LONGEST + 1, (rows, 1))] = PADDING  # (rows, L)
    ids = rng.integers(1, schema.categorical[0].vocabulary_size, (rows, 1))
    rates = np.where((values == planted).any(1), *RATES)
    labels = (rng.random(rows) < rates).astype("float32")
    return {CATEGORICAL: ids.astype("int32"), MULTIVALUED: values.astype("int32")}, labels


def scores_of(model: keras.Model, inputs: Batch, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Returns how much each value counts by each method, (B, L)."""
    return {
        "attention": np.asarray(model.explain(inputs)["value_weights"]),
        "value effects": np.abs(value_effects(model, inputs)),
        "SHAP": np.abs(shapley_values(model, inputs)),
        "chance": rng.random(inputs[MULTIVALUED].shape),
    }


def shapley_values(model: keras.Model, inputs: Batch) -> np.ndarray:
    """Returns the exact Shapley values of the presence of each value, (B, L), by `shap`."""
    found = []
    for row, values in enumerate(inputs[MULTIVALUED]):
        of_record = {kind: column[row : row + 1] for kind, column in inputs.items()}

        def logits(present: np.ndarray, of_record: Batch = of_record) -> np.ndarray:
            ids = np.where(present, of_record[MULTIVALUED], PADDING)  # (n, L)
            # Values in front, as a record has them.
            ids = np.take_along_axis(ids, np.argsort(ids == PADDING, axis=1, kind="stable"), 1)
            others = np.repeat(of_record[CATEGORICAL], len(ids), axis=0)
            return predict(model, {CATEGORICAL: others, MULTIVALUED: ids})

        explainer = shap.explainers.Exact(logits, np.zeros((1, LONGEST), bool))
        found.append(explainer((values != PADDING)[None], silent=True).values[0])
    return np.stack(found)


def is_first(scores: np.ndarray, ids: np.ndarray, planted: int) -> np.ndarray:
    """Returns in which records the planted value has the highest score, (B,) booleans."""
    best = np.where(ids != PADDING, scores, -np.inf).argmax(axis=1)
    return ids[np.arange(len(ids)), best] == planted


if __name__ == "__main__":
    run_program(main, seeds=list(range(20)))
