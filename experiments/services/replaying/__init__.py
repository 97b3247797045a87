"""Experiments that ran elsewhere, from files with their results."""
