"""How sure: looking at any time, many comparisons at once, and what may be concluded."""
