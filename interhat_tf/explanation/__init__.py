"""Why a model predicts what it does: of records, of segments, in pictures and on a page."""

from interhat_tf.utils.lazy import lazy_attributes

_MODULES = {
    "Attention": "attention_maps",
    "AttentionHeatmaps": "callback",
    "Explanation": "explanation",
    "Importance": "importance",
    "Interaction": "interactions",
    "Overview": "overview",
    "SegmentExplanation": "segments",
    "attention_heatmap": "heatmap",
    "explain_globally": "segments",
    "explain_records": "explanation",
    "feature_importance": "importance",
    "field_groups": "interactions",
    "fit_effects": "effect_fitting",
    "largest_differences": "segments",
    "mean_attention": "attention_maps",
    "model_overview": "overview",
    "occlusion": "attributions",
    "order_shares": "orders",
    "pair_effects": "interactions",
    "sampled_shapley_values": "sampled_shapley",
    "save_heatmap": "heatmap",
    "shapley_interactions": "shapley",
    "suggest_crosses": "suggested_crosses",
    "triple_effects": "interactions",
    "where": "selection",
}
__getattr__ = lazy_attributes(
    __name__, {name: f"{__name__}.{module}" for name, module in _MODULES.items()}
)

__all__ = [
    "Attention",
    "AttentionHeatmaps",
    "Explanation",
    "Importance",
    "Interaction",
    "Overview",
    "SegmentExplanation",
    "attention_heatmap",
    "explain_globally",
    "explain_records",
    "feature_importance",
    "field_groups",
    "fit_effects",
    "largest_differences",
    "mean_attention",
    "model_overview",
    "occlusion",
    "order_shares",
    "pair_effects",
    "sampled_shapley_values",
    "save_heatmap",
    "shapley_interactions",
    "suggest_crosses",
    "triple_effects",
    "where",
]
