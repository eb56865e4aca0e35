"""An explanation in plain words: a sentence for each record."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from interhat_tf.explanation.batches import probability

if TYPE_CHECKING:
    from interhat_tf.explanation.explanation import Explanation

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def sentences(explanation: "Explanation") -> list[str]:
    """Returns each record's dominating order, its interaction set, and what the set does.

    The dominating order is the one with the largest weight. Its set moves the
    click probability from what the logit would be without the contributions of
    the set's fields, in any order, to what it is.

    Args:
        explanation: The records' `Explanation`.
    """
    columns = {name: column for column, name in enumerate(explanation.field_names)}
    orders = explanation.order_weights.argmax(axis=1).tolist()
    sets = [
        [columns[name] for name in of_record[order]]
        for of_record, order in zip(explanation.interaction_sets(), orders, strict=True)
    ]
    without = [
        logit - contributions[:, fields].sum()
        for logit, contributions, fields in zip(
            explanation.logits, explanation.contributions, sets, strict=True
        )
    ]
    before, after = probability(without), explanation.probabilities  # (B,), (B,)
    idle = "; attention is idle" if (explanation.attention or {}).get("idle") else ""
    found = []
    for record, (order, fields) in enumerate(zip(orders, sets, strict=True)):
        weight = explanation.order_weights[record, order]
        start = f"{_ordinal(order)} order dominates ({weight:.2f})"
        if not fields:
            end = f", but no field stands out; click probability {after[record]:.2f}"
        else:
            names = " × ".join(explanation.label(record, field) for field in fields)
            verb = "raises" if after[record] >= before[record] else "lowers"
            moved = f"from {before[record]:.2f} to {after[record]:.2f}"
            end = f": {names}; {verb} the click probability {moved}"
        found.append(start + end + idle)
    return found


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


def label(name: str, value: object) -> str:
    """Returns a field and its value, `user = 7`; one of the two if they agree.

    >>> label("user", 7), label("Horror", "Horror"), label("Horror", "not Horror")
    ('user = 7', 'Horror', 'not Horror')
    """
    return str(value) if str(value) in (name, f"not {name}") else f"{name} = {value}"


def _ordinal(order: int) -> str:
    return ORDINALS[order] if order < len(ORDINALS) else f"{order + 1}th"
