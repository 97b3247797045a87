"""From tables of any size, as Ibis expressions, to moments. `analysis.aggregate` is the entry."""
