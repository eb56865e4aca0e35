"""Layers that read a sequence, such as what a user has clicked before, one per file."""
