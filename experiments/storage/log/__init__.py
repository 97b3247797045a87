"""What was shown and what happened: exposures and events."""
