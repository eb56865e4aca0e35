"""Runs that are killed, and workers that are lost."""
