"""What experiments are, and the library and registry they name: made, read and edited."""
