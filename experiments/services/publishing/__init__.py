"""What others need to assign by themselves, as they want it."""
