"""Whole experiments in simulated worlds, through the services that run real ones."""
