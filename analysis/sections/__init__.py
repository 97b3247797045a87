"""Parts of a report beside its comparisons. Each takes what was measured and returns words of the report."""
