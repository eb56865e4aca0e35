"""The attention weights of a whole data set: which orders and fields a model looks at."""

import dataclasses
import os
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from interhat_tf.calibration import model_probability
from interhat_tf.errors import SettingError
from interhat_tf.explanation.batches import explain_batches
from interhat_tf.explanation.selection import Condition
from interhat_tf.utils.files import atomic_write


@dataclasses.dataclass(frozen=True, eq=False)
class Attention:
    """Mean attention weights over records, with their standard deviations over the records.

    Args:
        field_names: Names of the m fields in the model's order.
        field_weights: Mean alpha_1 ... alpha_k of Equation 2, (k, m).
        order_weights: Mean alpha_f of Equation 5, (k,).
        probability: Mean predicted probability of a click, calibrated if the model is.
        field_weights_std: Standard deviation of the field weights, (k, m).
        order_weights_std: Standard deviation of the order weights, (k,).
        probability_std: Standard deviation of the probability.
        records: Number of records.
    """

    field_names: tuple[str, ...]
    field_weights: np.ndarray
    order_weights: np.ndarray
    probability: float
    field_weights_std: np.ndarray
    order_weights_std: np.ndarray
    probability_std: float
    records: int

    def save(self, path: str | os.PathLike) -> None:
        """Writes all of it to an .npz file, one array per attribute; folders are made.

        Args:
            path: The file.
        """
        with atomic_write(path) as file:
            np.savez_compressed(file, **vars(self))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Attention":
        """Reads what `save` wrote.

        Args:
            path: The file.
        """
        with np.load(path) as arrays:
            loaded = {name: arrays[name] for name in arrays.files}
        return cls(
            **{name: value if value.ndim else value.item() for name, value in loaded.items()}
            | {"field_names": tuple(loaded["field_names"].tolist())}
        )


def mean_attention(
    model: keras.Model, batches: Iterable[Any], condition: Condition | None = None
) -> Attention:
    """Averages a model's attention weights over the records that satisfy a condition.

    This is what each cell of the paper's Figures 8 to 10 shows. A single record
    is explained as the mean over a batch of one.

    Args:
        model: A model with `explain` and `schema`, such as `InterHAt`.
        batches: Batches of records, as for `select_records`; read once, and
            never held in memory together.
        condition: Which records count, as for `select_records`. Defaults to
            all.

    Returns:
        An `Attention`, in double precision.

    Raises:
        ValueError: If no record satisfies the condition.
    """
    sums, squares, records = {}, {}, 0
    for _, explanation in explain_batches(model, batches, condition):
        quantities = {
            "field_weights": explanation["field_weights"].astype("float64"),  # (B, k, m)
            "order_weights": explanation["order_weights"].astype("float64"),  # (B, k)
            "probability": model_probability(model, explanation["logits"]),  # (B,)
        }
        for name, values in quantities.items():
            sums[name] = sums.get(name, 0) + values.sum(axis=0)
            squares[name] = squares.get(name, 0) + (values**2).sum(axis=0)
        records += len(explanation["logits"])
    if not records:
        raise SettingError("no record satisfies the condition, so there is no attention to average")
    means = {name: total / records for name, total in sums.items()}
    # The quantities lie in [0, 1], so what the difference of squares loses in
    # double precision is below the single precision of the quantities themselves.
    deviations = {
        f"{name}_std": np.sqrt(np.maximum(squares[name] / records - mean**2, 0))
        for name, mean in means.items()
    }
    return Attention(field_names=model.schema.field_names, records=records, **means, **deviations)
