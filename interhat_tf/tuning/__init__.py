"""Finds hyperparameters on validation: what is tried of each model, and the search itself."""
