"""Taobao's display ads as click records, with what users did before; see README.md."""
