"""`python -m simulation.policy`: play every scenario, print the bounds, write the page and its pictures."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from calibration.scenario import Bound
from simulation.policy import page
from simulation.policy.runner import SEED, play_all
from simulation.policy.scenarios import WORLDS
from simulation.policy.tally import METHODS, Gap, Rate, Results, bounds, gaps, reverted, row_of
from simulation.policy.world import World

_ROOT = Path(__file__).parents[2]
# A trial with fewer experiments is no result to publish.
_ENOUGH, _TRIAL, _PUBLISHED = 2_000, _ROOT / "var" / "simulation", _ROOT / "docs" / "simulation"


@click.command()
@click.option("--runs", default=2_000, show_default=True, help="Experiments per scenario.")
@click.option("--seed", default=SEED, show_default=True)
@click.option("--workers", default=min(2, os.cpu_count() or 1), show_default=True, help="Processes.")
@click.option("--only", multiple=True, metavar="KEY", help="Scenarios whose key begins so; the page is left alone.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the numbers there.")
def main(runs: int, seed: int, workers: int, only: tuple[str, ...], json_file: Path | None) -> None:
    """Measure what an automatic promotion policy does: false promotions, power, reverts, predicted against realised."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    worlds = [world for world in WORLDS if not only or world.key.startswith(only)]
    started = perf_counter()
    results = _run(console, worlds, runs, seed, workers)
    facts = page.Facts(
        date=datetime.now(UTC).date(),
        runs=runs,
        seed=seed,
        seconds=perf_counter() - started,
        processor_seconds=sum(os.times()[:4]),
    )
    kept = bounds(results)
    console.print(_table(results))
    console.print(_gap_table(gaps(results)))
    for bound in kept:
        console.print(bound.line, highlight=False, soft_wrap=True)
    if not only:
        # Only pictures need what draws them.
        from simulation.policy import plots  # noqa: PLC0415

        folder = _PUBLISHED if runs >= _ENOUGH else _TRIAL
        plots.draw_all(results, folder / "images")
        (folder / "policy.md").write_text(page.text(results, kept, facts), encoding="utf-8")
        console.print(f"Written to {folder / 'policy.md'}.", soft_wrap=True)
    if json_file is not None:
        json_file.write_text(json.dumps(document(results, kept, facts), indent=2), encoding="utf-8")
    if runs < _ENOUGH:
        console.print(f"A trial: {runs} are too few to be judged by these bounds, {_ENOUGH:,} are enough.")
        return
    sys.exit(0 if all(bound.ok for bound in kept) else 1)


def _run(console: Console, worlds: Sequence[World], runs: int, seed: int, workers: int) -> Results:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("playing", total=runs * len(worlds))

        def advance(world: World, size: int) -> None:
            progress.update(task, advance=size, description=f"{world.key:<12}")

        return {
            world.key: (world, played)
            for world, played, _ in play_all(worlds, runs, seed=seed, workers=workers, advance=advance)
        }


def document(results: Results, kept: Sequence[Bound], facts: page.Facts) -> dict[str, Any]:
    """All numbers, for a program."""
    return {
        "schema": "winnow.simulation/1",
        "runs": facts.runs,
        "seed": facts.seed,
        "seconds": facts.seconds,
        "processor_seconds": facts.processor_seconds,
        "ok": all(bound.ok for bound in kept),
        "scenarios": [_scenario(world, played) for world, played in results.values()],
        "gaps": [asdict(gap) for gap in gaps(results)],
        "bounds": [{**asdict(bound), "ok": bound.ok} for bound in kept],
    }


def _scenario(world: World, played: Any) -> dict[str, Any]:
    methods = {}
    for method in METHODS:
        row = row_of(world, played, method)
        methods[method] = {
            "false": _rate(row.false),
            "worse": _rate(row.worse),
            "right": _rate(row.right),
            "mean_days": row.days,
        }
    looks = sum(one.looks for one in played)
    return {
        "key": world.key,
        "title": world.title,
        "methods": methods,
        "looks": looks,
        "ended": dict(Counter(f"{one.state}: {one.reason}" for each in played for one in each.promoted)),
        "reverted": _rate(reverted(world, played)),
    }


def _rate(rate: Rate) -> dict[str, Any]:
    return {"hits": rate.hits, "of": rate.of, "low": rate.low, "high": rate.high}


def _table(results: Results) -> Table:
    table = Table(title="Promotions by day 28")
    for column in ("scenario", "method", "false", "at most", "worse", "at most", "power", "mean days"):
        table.add_column(column, justify="left" if column in ("scenario", "method") else "right")
    for world, played in results.values():
        for method in METHODS:
            name = world.key if method == "policy" else ""
            table.add_row(name, page.NAMES[method].strip("*"), *page.cells(row_of(world, played, method)))
    return table


def _gap_table(found: Sequence[Gap]) -> Table:
    table = Table(title="Mean absolute gap, predicted lift raw and corrected")
    for column in ("promotions of", "number", "realised: raw", "corrected", "truth: raw", "corrected"):
        table.add_column(column, justify="left" if column == "promotions of" else "right")
    for gap in found:
        values = (gap.raw, gap.corrected, gap.raw_to_truth, gap.corrected_to_truth)
        table.add_row(gap.title, f"{gap.promotions:,}", *(page.percent(value, 2) for value in values))
    return table


if __name__ == "__main__":
    main()
