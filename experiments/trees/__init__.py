"""Boosted trees beside the click models: LightGBM, and the Explainable Boosting Machine (EBM)."""
