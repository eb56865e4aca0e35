"""Frappe, a log of mobile app usage."""
