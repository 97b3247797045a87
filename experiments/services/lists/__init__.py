"""Lists of units, from files and queries: assigned, or made into segments."""
