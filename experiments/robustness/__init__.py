"""Runs that are killed, workers that are lost, and seeds that differ."""
