"""What goes: of persons who ask for it, and what is old enough."""
