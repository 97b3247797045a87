"""`python -m calibration`: measure every row, print the bounds, write the page and its pictures."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from calibration import page, plots
from calibration.runner import SEED, Measured, chunks, measure_all
from calibration.scenario import Bound, Scenario
from calibration.scenarios import SCENARIOS

_FOLDER = Path(__file__).parents[1] / "docs" / "statistics"
# A trial with fewer experiments is no result to publish.
_ENOUGH, _TRIAL = 10_000, Path(__file__).parents[1] / "var" / "calibration"


@click.command()
@click.option("--runs", default=10_000, show_default=True, help="Experiments per row; some rows take more or fewer.")
@click.option("--seed", default=SEED, show_default=True)
@click.option("--workers", default=min(2, os.cpu_count() or 1), show_default=True, help="Processes.")
@click.option("--only", multiple=True, metavar="KEY", help="Rows whose key begins so; the page is left alone.")
def main(runs: int, seed: int, workers: int, only: tuple[str, ...]) -> None:
    """Measure the engine's error rates, with every safeguard on and off."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    rows = [one for one in SCENARIOS if not only or one.key.startswith(only)]
    started = perf_counter()
    measured = _run(console, rows, runs, seed, workers)
    seconds = perf_counter() - started
    console.print(_table(measured))
    bounds = [bound for on, _ in measured for bound in on.bounds]
    bounds.append(_harness(measured))
    for bound in bounds:
        console.print(bound.line, highlight=False, soft_wrap=True)
    if not only:
        folder = _FOLDER if runs >= _ENOUGH else _TRIAL
        (folder / "images").mkdir(parents=True, exist_ok=True)
        by_key = {on.scenario.key: (on, off) for on, off in measured}
        plots.draw_all(by_key, folder / "images")
        facts = page.Facts(date=datetime.now(UTC).date(), runs=runs, seed=seed, seconds=seconds)
        (folder / "calibration.md").write_text(page.text(measured, facts), encoding="utf-8")
        console.print(f"Written to {folder / 'calibration.md'}.", soft_wrap=True)
    if runs < _ENOUGH:
        console.print(f"A trial: {runs} are too few to be judged by these bounds, {_ENOUGH:,} are enough.")
        return
    sys.exit(0 if all(bound.ok for bound in bounds) else 1)


def _run(
    console: Console, rows: Sequence[Scenario], runs: int, seed: int, workers: int
) -> list[tuple[Measured, Measured]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        total = sum(2 * len(chunks(one, runs, seed, safeguard=True)) for one in rows)
        task = progress.add_task("simulating", total=total)

        def advance(one: Scenario) -> None:
            progress.update(task, advance=1, description=f"{one.key:<22}")

        return list(measure_all(rows, runs, seed=seed, workers=workers, advance=advance))


def _harness(measured: Sequence[tuple[Measured, Measured]]) -> Bound:
    """A row that passes with its safeguard off proves nothing."""
    passed = sum(off.ok for _, off in measured)
    return Bound(name="harness.rows_that_pass_without_safeguard", measured=passed, relation="<=", bound=0)


def _table(measured: Sequence[tuple[Measured, Measured]]) -> Table:
    table = Table(title="Error rates, safeguards on and off")
    for column in ("row", "experiments", "with", "must be", "without", "seconds"):
        table.add_column(column, justify="left" if column == "row" else "right")
    for on, off in measured:
        seconds = f"{on.seconds + off.seconds:.1f}"
        for line in page.lines(on, off):
            colour = "green" if line.ok else "red"
            table.add_row(
                line.name, f"{on.runs:,}", f"[{colour}]{line.on}[/]", line.must_be, line.off.strip("*"), seconds
            )
            seconds = ""
    return table


if __name__ == "__main__":
    main()
