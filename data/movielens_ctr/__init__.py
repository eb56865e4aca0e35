"""MovieLens-1M as click records; see README.md."""
