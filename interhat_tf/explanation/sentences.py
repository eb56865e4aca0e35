"""An explanation in plain words: a sentence for each record."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from interhat_tf.schema import MISSING, NOTHING
from interhat_tf.utils.value_texts import SHOWN_PARTS, ValueTexts

if TYPE_CHECKING:
    from interhat_tf.explanation.explanation import Explanation

FAINT = 0.05
"""A smaller change of the logit rounds to 0.0, and moves the probability by 0.0125 at most."""

SAME_WEIGHT = 0.005
"""Weights that differ by less are the same in two digits."""


def sentences(explanation: "Explanation") -> list[str]:
    """Returns which values move each record's prediction most, and from where to where.

    If there are pair effects, they are of the two fields that move the logit most
    together, or of one if the other does nothing: against other records' values of
    both, by the sum of their effects less what that counts twice. If there are effects
    alone, of the field with the largest; and without, of the field with the largest
    contribution.

    Args:
        explanation: The records' `Explanation`.
    """
    strongest = [_strongest(explanation, record) for record in range(len(explanation))]
    moved = np.array([move for _, _, move in strongest])  # (B,)
    before = explanation.probability_of(explanation.logits - moved)  # (B,)
    after = explanation.probabilities  # (B,)
    return [
        f"no field stands out; click probability {end:.2f}"
        if abs(move) < FAINT
        else f"{words} {('raise' if move > 0 else 'lower') + singular} the click probability "
        f"from {start:.2f} to {end:.2f}"
        for (words, singular, move), start, end in zip(strongest, before, after, strict=True)
    ]


def notes(explanation: "Explanation") -> list[str]:
    """Returns what there is to say of all records: how far to trust what is shown of them.

    Args:
        explanation: The records' `Explanation`.
    """
    found = (
        explanation.calibration_note(),
        explanation.attention_note(),
        explanation.effects_note(),
        explanation.unknown_note(),
        explanation.hashed_note(),
    )
    return [note for note in found if note]


def _strongest(explanation: "Explanation", record: int) -> tuple[str, str, float]:
    """Returns in words what does most, the ending of its verb, and by what it moves the logit."""
    effects, pairs, together = explanation.effects, explanation.pairs, explanation.pair_effects
    if effects is None or pairs is None or together is None:
        return _field(explanation, record)
    return _pair(explanation, record, effects[record], pairs[record], together[record])


def _pair(
    explanation: "Explanation",
    record: int,
    effects: np.ndarray,
    pairs: np.ndarray,
    together: np.ndarray,
) -> tuple[str, str, float]:
    """Returns the two fields that do most, or as `_field` if one of them does nothing.

    Args:
        explanation: The `Explanation`.
        record: Number of the record.
        effects: Those of its fields, (m,).
        pairs: Pairs of its fields, (P, 2).
        together: What each pair adds that neither of its fields does alone, (P,).
    """
    moves = effects[pairs].sum(axis=1) - together  # (P,)
    best = int(np.abs(moves).argmax())
    fields = sorted(pairs[best], key=lambda field: -abs(effects[field]))
    faint = abs(together[best]) < FAINT
    if faint and abs(effects[fields[1]]) < FAINT:
        return _field(explanation, record)
    names = [f"{explanation.label(record, field)} ({effects[field]:+z.1f})" for field in fields]
    words = " and ".join(names)
    if not faint:
        words += f", together {together[best]:+.1f},"
    return words, "", float(moves[best])


def _field(explanation: "Explanation", record: int) -> tuple[str, str, float]:
    """Returns the field that does most."""
    if explanation.effects is not None:
        moves, by = explanation.effects[record], ""  # (m,)
    else:
        moves, by = explanation.contributions[record].sum(axis=0), "by contributions, "  # (m,)
    best = int(np.abs(moves).argmax())
    return f"{by}{explanation.label(record, best)} ({moves[best]:+.1f})", "s", float(moves[best])


def attention_note(attention: Mapping[str, Any] | None) -> str:
    """Returns what attention is worth to a model, or nothing if that is not known.

    Args:
        attention: What `InterHAt.diagnose` has found.
    """
    if not attention:
        return ""
    costs = f"{attention['auc_lost']:.4f} of AUC and {attention['logloss_lost']:.4f} of logloss"
    fixed = "Fixing each field's attention weight to its mean over records costs this model"
    if attention["idle"]:
        return (
            f"Attention is idle. {fixed} {costs} on validation: the weights are not why it "
            "predicts one record otherwise than another. Contributions and effects still hold."
        )
    return f"{fixed} {costs} on validation."


def effects_note(fidelity: Mapping[str, Any] | None) -> str:
    """Returns how well a model's own effects agree with exact ones, or nothing of exact effects.

    Args:
        fidelity: What `fit_effects` has found.
    """
    if not fidelity:
        return ""
    what = "Shapley values" if fidelity["kind"] == "shapley" else "effects"
    note = (
        f"Effects are estimated by the model itself: R2 {fidelity['r2']:.2f} and rank correlation "
        f"{fidelity['rank_correlation']:.2f} against exact {what} of {fidelity['records']} "
        "validation records"
    )
    if "pair_r2" not in fidelity:
        return f"{note}."
    return (
        f"{note}; of pairs, R2 {fidelity['pair_r2']:.2f} and rank correlation "
        f"{fidelity['pair_rank_correlation']:.2f}."
    )


def unknown_note(shares: Mapping[str, float]) -> str:
    """Returns which fields' values training records do not have, and in how many records.

    Args:
        shares: The share of the records, by field.

    Example:

    >>> unknown_note({"user": 0.625, "app": 0.0})
    'Values that training records do not have: user 62%.'
    """
    some = [f"{name} {share:.0%}" for name, share in shares.items() if share > 0]
    return f"Values that training records do not have: {', '.join(some)}." if some else ""


def hashed_note(fields: Sequence[str]) -> str:
    """Returns of which fields an id is many values', or nothing if there are none.

    >>> hashed_note(["user", "site"])
    'Hashed, so that the model takes several values for one: user, site.'
    """
    if not fields:
        return ""
    return f"Hashed, so that the model takes several values for one: {', '.join(fields)}."


def differ(shares: Sequence[tuple[str, float]]) -> bool:
    """Returns whether a field's values have weights worth telling: not all the same.

    Args:
        shares: The values and their weights, the largest first.
    """
    return len(shares) > 1 and shares[0][1] - shares[-1][1] > SAME_WEIGHT


def label(name: str, value: object, shares: Sequence[tuple[str, float]] = ()) -> str:
    """Returns a field and its value, `user = 7`; one of the two if they agree.

    Args:
        name: The field's name.
        value: Its value, or its several values as one text, of which many are cut short.
        shares: These values and their weights, the largest first.
            Defaults to none.

    >>> label("genres", "War, Drama", [("Drama", 0.8), ("War", 0.2)])
    'genres: Drama 0.80, War 0.20'
    >>> label("user", 7), label("Horror", "Horror"), label("Horror", "not Horror")
    ('user = 7', 'Horror', 'not Horror')
    >>> label("age", "(missing)"), label("history", "(none)")
    ('age unknown', 'no history')
    """
    if value in (MISSING, NOTHING):
        return f"{name} unknown" if value == MISSING else f"no {name}"
    if differ(shares):
        told = [f"{text} {share:.2f}" for text, share in shares[:SHOWN_PARTS]]
        return f"{name}: {', '.join(told)}{', …' * (len(shares) > SHOWN_PARTS)}"
    text = value.short() if isinstance(value, ValueTexts) else str(value)
    return text if text in (name, f"not {name}") else f"{name} = {text}"
