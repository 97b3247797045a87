"""Can it be believed: the split, the minimum, and the units and values that were left out."""
