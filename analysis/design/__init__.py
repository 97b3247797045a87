"""Before it starts: power, duration, and the errors a design will make."""
