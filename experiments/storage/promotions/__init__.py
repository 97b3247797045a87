"""What goes live, and the notices that tell of it."""
