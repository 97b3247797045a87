"""`winnow replay`: an experiment that ran elsewhere, from a file with its results."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from experiments.cli.console import progress_bar
from experiments.cli.wired import ACTOR, wired
from experiments.domain.errors import InvalidInput
from experiments.domain.wording import amount
from experiments.services.replaying.file import WideFile
from experiments.services.replaying.plan import ReplayPlan, read_plan
from experiments.services.replaying.replay import BadRows, Replayer

_STEPS = {"check": "Checking", "load": "Loading"}
_File = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_File)
@click.option("--plan", "plan_file", type=_File, required=True, help="TOML file that says what the columns mean.")
@click.option("--key", help="Key of the experiment; the plan's where it is not given.")
@click.option("--max-errors", type=click.IntRange(1), default=100, show_default=True, help="Bad rows to report.")
@click.option("--json", "as_json", is_flag=True, help="Report result and bad rows as JSON on stdout.")
def replay(file: Path, plan_file: Path, key: str | None, max_errors: int, as_json: bool) -> None:
    """Load FILE, a CSV (plain or gzip) with one row per unit, as an experiment.

    Every row is checked first: where one is bad, nothing is loaded. Loading the same file again stores nothing.
    """
    plan = load_plan(plan_file, key)
    winnow = wired()
    replayer = Replayer(winnow.catalog, winnow.open_unit_of_work, winnow.clock)
    try:
        with progress_bar(_STEPS["check"]) as tell:
            loaded = replayer.replay(
                plan,
                WideFile(file, plan),
                actor=ACTOR,
                progress=lambda step, done, total: tell(done, total, _STEPS[step]),
                most_bad_rows=max_errors,
            )
    except BadRows as refusal:
        _report(refusal, as_json)
        raise
    told = f"{amount(loaded.units, 'unit')}, {amount(loaded.events, 'event')}"
    if as_json:
        click.echo(json.dumps(asdict(loaded)))
    elif loaded.already:
        click.echo(f"{loaded.experiment} is already loaded: {told}.")
    else:
        click.echo(f"{loaded.experiment} is loaded: {told}.")
        if loaded.without_consent:
            click.echo(f"Left out, as they do not consent: {amount(loaded.without_consent, 'unit')}.", err=True)


def load_plan(path: Path, key: str | None = None) -> ReplayPlan:
    """Read a plan from a TOML file. Raises InvalidInput."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput("plan_unreadable", f"{path.name} is no TOML: {error}.") from None
    return read_plan(document, key=key)


def _report(refusal: BadRows, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"bad_rows": [asdict(row) for row in refusal.rows], "count": refusal.count}))
        return
    for row in refusal.rows:
        click.echo(f"line {row.line}: {row.code}: {row.column + ': ' if row.column else ''}{row.message}", err=True)
    if refusal.count > len(refusal.rows):
        click.echo(f"… and {refusal.count - len(refusal.rows)} more", err=True)
