"""Who agrees to being remembered."""
