"""Adaptive allocation on simulated customers: what it gains over the fixed split, and whether its intervals hold."""
