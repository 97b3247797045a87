"""`python -m simulation.adaptive`: simulate, print the bounds, write the page and its pictures."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import get_args
from zlib import crc32

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from simulation.adaptive import page, plots
from simulation.adaptive.measure import Found, measure
from simulation.adaptive.promises import Row, bounds
from simulation.adaptive.worlds import WORLDS, Kind, world

_ROOT = Path(__file__).parents[2]
# A trial with fewer experiments is no result to publish.
_ENOUGH, _PUBLISHED, _TRIAL = 10_000, _ROOT / "docs" / "simulation", _ROOT / "var" / "simulation"
_CHUNK = 500
Task = tuple[str, Kind, int, int, int]


@click.command()
@click.option("--runs", default=10_000, show_default=True, help="Experiments per row.")
@click.option("--seed", default=2026, show_default=True)
@click.option("--workers", default=min(2, os.cpu_count() or 1), show_default=True, help="Processes.")
def main(runs: int, seed: int, workers: int) -> None:
    """Adaptive against fixed splits in seven worlds: regret, coverage, gain and certainty."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    started = perf_counter()
    rows = list(_rows(console, runs, seed, workers))
    console.print(_table(rows))
    promised = [bound for row in rows for bound in bounds(row)]
    for bound in promised:
        console.print(bound.line, highlight=False, soft_wrap=True)
    folder = _PUBLISHED if runs >= _ENOUGH else _TRIAL
    (folder / "images").mkdir(parents=True, exist_ok=True)
    plots.draw_all(rows, folder / "images")
    facts = page.Facts(
        date=datetime.now(UTC).date(), runs=runs, seed=seed, seconds=perf_counter() - started, bounds=promised
    )
    (folder / "adaptive.md").write_text(page.text(rows, facts), encoding="utf-8")
    if runs < _ENOUGH:
        console.print(f"A trial: {runs} are too few to be judged by these bounds, {_ENOUGH:,} are enough.")
        return
    sys.exit(0 if all(bound.ok for bound in promised) else 1)


def _rows(console: Console, runs: int, seed: int, workers: int) -> Iterator[Row]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    asked = [(one, kind) for one in WORLDS for kind in get_args(Kind)]
    sizes = [min(_CHUNK, runs - start) for start in range(0, runs, _CHUNK)]
    with Progress(*columns, console=console) as progress, ProcessPoolExecutor(max_workers=workers) as pool:
        task = progress.add_task("simulating", total=len(asked) * len(sizes))
        planned = {
            (one.key, kind): [pool.submit(_chunk, (one.key, kind, n, size, seed)) for n, size in enumerate(sizes)]
            for one, kind in asked
        }
        for one, kind in asked:
            parts = []
            for future in planned[one.key, kind]:
                parts.append(future.result())
                progress.update(task, advance=1, description=f"{one.key:<8}{kind:<12}")
            yield Row(world=one, kind=kind, found=_together(parts))


def _chunk(task: Task) -> Found:
    """Seeded by itself, so that the numbers do not depend on how many processes there are."""
    key, kind, index, runs, seed = task
    seeds = np.random.SeedSequence(seed, spawn_key=(crc32(f"{key}/{kind}".encode()), index))
    return measure(world(key), kind, np.random.default_rng(seeds), runs)


def _together(parts: Sequence[Found]) -> Found:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _table(rows: Sequence[Row]) -> Table:
    table = Table(title="Adaptive splits in seven worlds")
    header, *cells = page.cells(rows)
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index > 1 else "left")
    for row in cells:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    main()
