"""Why a model predicts what it does: of records, of segments, in pictures and on a page."""

from interhat_tf.utils.lazy import lazy_attributes

_MODULES = {
    "AttentionHeatmaps": "callback",
    "Explanation": "explanation",
    "attention_heatmap": "heatmap",
    "explain_globally": "segments",
    "explain_records": "explanation",
    "largest_differences": "segments",
    "mean_attention": "attention_maps",
    "occlusion": "attributions",
    "where": "batches",
}
__getattr__ = lazy_attributes(
    __name__, {name: f"{__name__}.{module}" for name, module in _MODULES.items()}
)

__all__ = [
    "AttentionHeatmaps",
    "Explanation",
    "attention_heatmap",
    "explain_globally",
    "explain_records",
    "largest_differences",
    "mean_attention",
    "occlusion",
    "where",
]
