"""An explanation as the `shap` package has it, so that its plots show it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import shap

    from interhat_tf.explanation.explanation import Explanation


def shap_explanation(explanation: "Explanation") -> "shap.Explanation":
    """Returns the effects, or the contributions if there are none, as a `shap.Explanation`.

    See `Explanation.to_shap`.

    Args:
        explanation: The records' `Explanation`.
    """
    try:
        import shap
    except ImportError as error:
        raise ImportError("to_shap needs shap: pip install 'interhat_tf[shap]'") from error
    if explanation.effects is not None:
        shares = explanation.effects.astype("float64")  # (B, m)
    else:
        shares = explanation.contributions.sum(axis=1, dtype="float64")  # (B, m)
    return shap.Explanation(
        values=shares,
        base_values=explanation.logits - shares.sum(axis=1),  # (B,)
        data=explanation.values,
        feature_names=list(explanation.field_names),
    )
