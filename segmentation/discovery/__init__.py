"""Segments discovered from experiments, honestly: proposals for the next experiment."""

from segmentation.discovery.discover import Discovery, Proposal, Search, discover, units_needed
from segmentation.discovery.experiment import proposing_half

__all__ = ["Discovery", "Proposal", "Search", "discover", "proposing_half", "units_needed"]
