"""Results become decisions, and decisions become splits: one step of one segment at a time."""
