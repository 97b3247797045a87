"""Whether all who decide say the same of 1,000,000 random units and 50 random experiments."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.clients.agreement.compare import Comparison

QUICK_UNITS = 20_000
MOST_AT_ONCE = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="make agree", description=__doc__)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--experiments", type=int, default=50)
    parser.add_argument("--each", type=int, default=5, help="in how many experiments each unit is, by turns")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_UNITS:,} units")
    asked = parser.parse_args()
    count = QUICK_UNITS if asked.quick else asked.units
    columns = (TextColumn("agreeing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with tempfile.TemporaryDirectory() as folder, Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=count)
        comparison = Comparison(seed=asked.seed, experiments=asked.experiments, folder=Path(folder))
        chunk_of = max(1, min(MOST_AT_ONCE, count // 10))
        for done in range(0, count, chunk_of):
            chunk = min(chunk_of, count - done)
            comparison.compare(chunk, asked.each)
            progress.advance(task, chunk)
    print(comparison.report())
    return 1 if comparison.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
