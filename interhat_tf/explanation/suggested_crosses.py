"""Which crosses a model's own pair effects ask for."""

import dataclasses
from typing import TYPE_CHECKING

import keras
import numpy as np

from interhat_tf.crosses import MIN_COUNT, name_of
from interhat_tf.explanation.interactions import Group, field_groups, pair_effects
from interhat_tf.explanation.selection import first_records

if TYPE_CHECKING:
    from interhat_tf.input_pipeline.dataset import PreparedDataset


@dataclasses.dataclass(frozen=True)
class SuggestedCross:
    """A cross that a model's pair effects ask for.

    Args:
        fields: The two fields, as `with_crosses` takes them.
        strength: Mean absolute effect of the pair on the logit.
        combinations: Number of combinations of their values in training.
        vocabulary_size: Number of ids that the cross would have, id 0 included.
        coverage: Share of the training rows whose combination would have an id.
    """

    fields: Group
    strength: float
    combinations: int
    vocabulary_size: int
    coverage: float

    def __str__(self) -> str:
        return (
            f"{name_of(self.fields)}: {self.strength:.3f} on the logit; {self.vocabulary_size:,} "
            f"ids for {self.coverage:.0%} of the training rows"
        )


def suggest_crosses(
    model: keras.Model,
    data: "PreparedDataset",
    *,
    top: int = 10,
    records: int = 512,
    background: int = 32,
    min_count: int = MIN_COUNT,
) -> list[SuggestedCross]:
    """Names the pairs of fields that interact most in a model, which a cross may serve.

    Pairs are ranked by the mean of |`pair_effects`| over records of validation,
    against records of training. This is how GLIDER (Tsang et al., ICLR 2020)
    finds crosses, with exact second differences against real records in place of
    its neural interaction detection. Whether one helps, a training with it says.

    Args:
        model: A trained model; any that gives logits, (B, 1).
        data: The `PreparedDataset` that it was trained on.
        top: Number of pairs that are returned at most. Defaults to 10.
        records: Number of validation records. Defaults to 512.
        background: Number of training records whose values are put in. Defaults
            to 32.
        min_count: Training rows that a combination needs to have an id, as for
            `Cross`. Defaults to 2.

    Returns:
        The pairs of categorical fields that are no cross of the model yet, the
        strongest first.

    Raises:
        ValueError: If the model is of other records than the data set.

    Example:

    >>> for cross in suggest_crosses(model, data, top=3):  # doctest: +SKIP
    ...     print(cross)
    >>> data = data.with_crosses([cross.fields])  # doctest: +SKIP
    """
    data.check_model(model)
    categorical = {field.name for field in model.schema.categorical}
    there = {frozenset(cross.fields) for cross in model.schema.crosses}
    pairs = [
        pair
        for pair in field_groups(model.schema, 2)
        if categorical.issuperset(pair) and frozenset(pair) not in there
    ]
    effects = pair_effects(
        model,
        first_records(data, "validation", records),
        first_records(data, "train", background),
        pairs,
    )
    strengths = np.abs(effects).mean(axis=0)  # (pairs,)
    chosen = np.argsort(-strengths, kind="stable")[:top]
    counted = data.count_combinations([pairs[i] for i in chosen])
    rows = data.num_rows("train")
    return [
        SuggestedCross(
            pairs[i],
            float(strengths[i]),
            combinations=len(found.rows),
            vocabulary_size=1 + len(found.frequent(min_count)),
            coverage=float(found.rows[found.rows >= min_count].sum() / rows),
        )
        for i, found in zip(chosen, counted, strict=True)
    ]
