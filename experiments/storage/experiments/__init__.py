"""Experiments, and the libraries that they are made of."""
