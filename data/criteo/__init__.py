"""Criteo's Display Advertising Challenge, a log of ads and clicks."""
