"""Which variant a unit sees, from memory: one at a time, or many at once."""
