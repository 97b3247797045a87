"""Policies tried out on simulated customers, before anybody trusts them with real ones."""
