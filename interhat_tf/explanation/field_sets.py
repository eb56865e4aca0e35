"""Sets of a record's fields: the logit with other records' values of them, and what they add."""

import itertools
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np

from interhat_tf.errors import SettingError
from interhat_tf.explanation.batches import ROWS, predict
from interhat_tf.schema import KINDS, Batch, Schema

FieldSet = tuple[int, ...]
"""Positions of fields in `schema.record_fields`, or in a choice of them, in rising order."""


def checked(schema: Schema, records: Batch) -> dict[str, np.ndarray]:
    """Returns records as arrays, of a prepared set's types; numbers in double precision stay so.

    Other records' values take the places of these, in the type that these have.

    Args:
        schema: The records' `Schema`.
        records: A batch's inputs, as the schema has them.

    Raises:
        ValueError: If the records do not follow the schema, or there is none.
    """
    schema.check(records)
    arrays = {kind: _typed(kind, np.asarray(records[kind])) for kind in schema.columns}
    if not all(map(len, arrays.values())):
        raise SettingError(
            "there is no record; give at least one to explain and one to compare with"
        )
    return arrays


def _typed(kind: str, values: np.ndarray) -> np.ndarray:
    return values if values.dtype == "float64" else values.astype(KINDS[kind], copy=False)


def subsets(sets: Iterable[FieldSet]) -> list[FieldSet]:
    """Returns all subsets of the sets, each once, the empty one among them.

    >>> subsets([(0, 1), (1, 4)])
    [(), (0,), (1,), (0, 1), (4,), (1, 4)]
    """
    return list(dict.fromkeys(itertools.chain.from_iterable(map(_subsets, sets))))


def members(sets: Sequence[FieldSet], fields: np.ndarray, num_fields: int) -> np.ndarray:
    """Returns which fields are in each set, (B, n, num_fields).

    Args:
        sets: The n sets, of positions among the w chosen fields.
        fields: Each record's chosen fields, (B, w); (1, w) for the same of all records.
        num_fields: Number of fields that a record holds.

    Example:

    >>> members([(0,), (0, 1)], np.array([[1, 3]]), 4).astype(int).tolist()
    [[[0, 1, 0, 0], [0, 1, 0, 1]]]
    """
    chosen = np.zeros((len(sets), fields.shape[1]), bool)  # (n, w)
    for row, positions in zip(chosen, sets, strict=True):
        row[list(positions)] = True
    found = np.zeros((len(fields), len(sets), num_fields), bool)
    np.put_along_axis(found, fields[:, None], chosen, axis=2)
    return found


def largest(amounts: np.ndarray, number: int) -> np.ndarray:
    """Returns each record's fields of the largest |amounts|, (B, number), in rising order.

    Args:
        amounts: A number for each record and field, (B, fields).
        number: How many fields; all if there are fewer.

    Example:

    >>> largest(np.array([[0.1, -3.0, 2.0], [5.0, 0.0, 1.0]]), 2).tolist()
    [[1, 2], [0, 2]]
    """
    return np.sort(np.argsort(-np.abs(amounts), axis=1, kind="stable")[:, :number], axis=1)


def mean_logits(
    model: keras.Model,
    inputs: Batch,
    donors: Batch,
    replaced: np.ndarray,
    output: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> np.ndarray:
    """Returns each record's mean logit with other records' values of sets of fields, (B, n).

        mean_b f(x with b_j in place of x_j for each field j of the set)

    f being the logit. The values that are put in are those of one record b
    together. A model's crosses change with their fields.

    It costs B r predictions for each set that is not empty, and B more.

    Args:
        model: Any model with `schema` that gives logits, (B, 1).
        inputs: The records x, as `checked` returns them.
        donors: The r records b: the same for all x, (r, C), (r, N) and (r, L), or for
            each x its own, (B, r, C), (B, r, N) and (B, r, L).
        replaced: Which fields are in each of the n sets, as `members` returns them.
        output: What of the logits the mean is of, such as `calibration.probability`.
            Defaults to themselves.
    """
    logits = output(predict(model, inputs)).astype("float64")  # (B,)
    rows, draws = len(logits), next(iter(donors.values())).shape[-2]
    replaced = np.broadcast_to(replaced, (rows, *replaced.shape[1:]))  # (B, n, fields)
    # All values of a multivalued field are replaced together.
    masks = {kind: replaced[:, :, places] for kind, places in model.schema.columns.items()}
    donors = {
        kind: np.broadcast_to(values.astype(inputs[kind].dtype), (rows, draws, values.shape[-1]))
        for kind, values in donors.items()
    }  # (B, r, C), (B, r, N) and (B, r, L)
    means = np.tile(logits[:, None], replaced.shape[1])  # (B, n)
    changed = np.argwhere(replaced.any(axis=2))  # (B n, 2), less those of empty sets
    at_a_time = max(1, ROWS // draws)
    for start in range(0, len(changed), at_a_time):
        record, of_set = changed[start : start + at_a_time].T
        part = {
            kind: np.where(
                masks[kind][record, of_set][:, None],  # (part, 1, columns)
                donors[kind][record],
                values[record][:, None],
            ).reshape(-1, values.shape[1])  # (part r, columns)
            for kind, values in inputs.items()
        }
        of_draws = output(predict(model, part)).reshape(-1, draws)
        means[record, of_set] = of_draws.mean(axis=1, dtype="float64")
    return means


def differences(
    values: np.ndarray, sets: Sequence[FieldSet], groups: Sequence[FieldSet]
) -> np.ndarray:
    """Returns what each group of fields adds together that no smaller one does, (B, groups).

        m_S = sum_{T in S} (-1)^(|S| - |T|) v(T)

    over all subsets T of the group S: the Moebius transform of v.

    Args:
        values: v of each set, (B, n).
        sets: The n sets; all subsets of the groups are among them.
        groups: The groups S.

    Example:

    >>> differences(np.array([[0.0, 1.0, 2.0, 7.0]]), [(), (0,), (1,), (0, 1)], [(0, 1)])
    array([[4.]])
    """
    of_set = dict(zip(sets, np.ascontiguousarray(values.T), strict=True))
    sums = np.zeros((len(groups), len(values)))  # (groups, B)
    for row, group in zip(sums, groups, strict=True):
        for part in _subsets(group):
            row += of_set[part] if (len(group) - len(part)) % 2 == 0 else -of_set[part]
    return sums.T  # (B, groups)


def _subsets(group: FieldSet) -> list[FieldSet]:
    sizes = range(len(group) + 1)
    return [part for size in sizes for part in itertools.combinations(group, size)]
