"""Explanations in lists, texts and numbers, as JSON and the HTML page take them."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from interhat_tf.explanation.explanation import Explanation

DECIMALS = 6


def json_data(explanation: "Explanation") -> dict[str, Any]:
    """Returns `field_names`, `attention` and `records`, a dictionary for each record.

    For effects that the model estimates there is `effect_fidelity` as well, and of a
    calibrated model `calibration`, a text. If values are out of vocabulary, `unknown` has
    the share of the records of each field. Records whose label is known have `clicked`;
    those of multivalued fields have the values' own `value_weights` and `value_effects`, if
    these are known, the largest first.

    Weights, contributions and effects are rounded to 6 decimals.

    Args:
        explanation: The records' `Explanation`.
    """
    names = explanation.field_names
    columns = {
        "probability": explanation.probabilities.tolist(),
        "logit": explanation.logits.tolist(),
        "bias": explanation.bias.tolist(),
        "sentence": explanation.sentences(),
        "values": [dict(zip(names, row, strict=True)) for row in explanation.values.tolist()],
        "order_weights": rounded(explanation.order_weights),
        "field_weights": rounded(explanation.field_weights),
        "contributions": rounded(explanation.contributions),
        "interaction_sets": [
            [list(fields) for fields in of_record] for of_record in explanation.interaction_sets()
        ],
    }
    if explanation.labels is not None:
        columns["clicked"] = (explanation.labels == 1).tolist()
    if explanation.heads is not None:
        columns["heads"] = rounded(explanation.heads)
    if explanation.effects is not None:
        columns["effects"] = rounded(explanation.effects)
    for name, of_record in (
        ("value_weights", explanation.value_shares),
        ("value_effects", explanation.value_moves),
    ):
        if getattr(explanation, name) is not None:
            columns[name] = [
                {
                    field: [[text, round(number, DECIMALS)] for text, number in of_record(i, field)]
                    for field in dict.fromkeys(explanation.value_fields)
                }
                for i in range(len(explanation))
            ]
    if explanation.pair_effects is not None:
        columns["interactions"] = [
            [{"fields": list(pair), "effect": round(effect, DECIMALS)} for pair, effect in pairs]
            for pairs in explanation.interactions()
        ]
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    of_model: dict[str, Any] = {"field_names": list(names), "attention": explanation.attention}
    if explanation.effect_fidelity:
        of_model["effect_fidelity"] = explanation.effect_fidelity
    if explanation.calibration:
        of_model["calibration"] = str(explanation.calibration)
    if any(explanation.unknown_shares().values()):
        of_model["unknown"] = explanation.unknown_shares()
    if explanation.hashed:
        of_model["hashed"] = list(explanation.hashed)
    return {**of_model, "records": records}


def rounded(array: np.ndarray) -> list:
    """Returns an array as lists of numbers of 6 decimals."""
    return np.round(np.asarray(array, "float64"), DECIMALS).tolist()
