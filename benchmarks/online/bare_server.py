"""`winnow serve` with the bare function in place of Winnow: the same server, settings and all."""

from __future__ import annotations

from experiments.cli import serve

if __name__ == "__main__":
    serve.APPLICATION = "benchmarks.online.bare_app:app"
    serve.serve()
