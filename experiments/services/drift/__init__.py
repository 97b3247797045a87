"""Who has moved to another segment since exposure."""
