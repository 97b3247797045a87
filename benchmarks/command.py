"""The command line that every benchmark has."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks.harness import LEAST_SECONDS, Case, Outcome, Sweep, measure, runs_of, sweep
from benchmarks.machine import machine
from benchmarks.output import Run, lines, show, to_dict, write_docs

Tick = Callable[[], None]

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks.md"


class Suite(Protocol):
    """Cases with the tables they read, if any; `name` is the target of make."""

    @property
    def name(self) -> str: ...

    @property
    def packages(self) -> tuple[str, ...]: ...

    @property
    def table_ticks(self) -> int: ...

    def make_tables(self, folder: Path, *, quick: bool, tick: Tick) -> None: ...

    def cases(self, folder: Path, *, quick: bool) -> tuple[Case | Sweep, ...]: ...


def main(name: str, make: Callable[..., Suite], *options: click.Option) -> None:
    """Run a suite from the command line; exits 1 if sides differ or a promise is SHORT.

    `options` come on top of those that all have; their values go to `make`.
    """

    @click.command(help=f"Measure `{name}`: sides in turn, one line per promise.")
    @click.option("--quick", is_flag=True, help="Tiny sizes: do the sides agree? A SHORT means nothing there.")
    @click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all figures to this file.")
    @click.option("--only", multiple=True, metavar="CASE", help="Only this case; may be repeated. Leaves docs alone.")
    @click.option(
        "--write-docs/--no-docs", default=None, help="Refresh docs/benchmarks.md: what a complete run does by itself."
    )
    def command(
        quick: bool, json_file: Path | None, only: tuple[str, ...], write_docs: bool | None, **given: Any
    ) -> None:
        run = measured(make(**given), quick=quick, only=only)
        if json_file is not None:
            json_file.write_text(json.dumps(to_dict(run), indent=2) + "\n")
        if write_docs if write_docs is not None else not (quick or only):
            _write(run)
        sys.exit(0 if run.is_kept else 1)

    command.params.extend(options)
    command()


def _write(run: Run) -> None:
    write_docs(DOCS, run)


def measured(suite: Suite, *, quick: bool, only: tuple[str, ...]) -> Run:
    screen = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="winnow-bench-") as folder, _progress() as progress:
        if suite.table_ticks:
            task = progress.add_task("making tables", total=suite.table_ticks)
            suite.make_tables(Path(folder), quick=quick, tick=lambda: progress.advance(task))
        cases = [case for case in suite.cases(Path(folder), quick=quick) if not only or case.name in only]
        if not cases:
            raise click.UsageError(f"no such case: {', '.join(only)}")
        outcomes = []
        for index, case in enumerate(cases):
            outcome = _one(case, progress, memory=not quick or index == 0, quick=quick)
            show(screen, outcome)
            outcomes.append(outcome)
    run = Run(
        command=suite.name,
        quick=quick,
        measured_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(suite.packages),
        outcomes=tuple(outcomes),
    )
    for line in lines(run):
        click.echo(line)
    return run


def _one(case: Case | Sweep, progress: Progress, *, memory: bool, quick: bool) -> Outcome:
    task = progress.add_task(case.name, total=runs_of(case))
    if isinstance(case, Sweep):
        return sweep(case, tick=lambda: progress.advance(task))
    least = 0.0 if quick else LEAST_SECONDS
    return measure(case, memory=memory, least_seconds=least, tick=lambda: progress.advance(task))


def _progress() -> Progress:
    """On the error stream, so that what is printed can be read by a program."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
