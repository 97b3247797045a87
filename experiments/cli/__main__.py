"""`python -m experiments.cli` is `winnow`."""

from experiments.cli import main

main()
