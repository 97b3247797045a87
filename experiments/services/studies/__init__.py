"""Segments that were learnt or discovered: versions that propose, and their adoption."""
