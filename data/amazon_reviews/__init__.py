"""Amazon reviews as click records; see README.md."""
