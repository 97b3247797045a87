"""`winnow assign`: a list of customers, each with the variant it sees."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from experiments.cli.console import progress_bar
from experiments.cli.separator import one_character
from experiments.cli.wired import wired
from experiments.domain.errors import InvalidInput
from experiments.domain.event import Channel
from experiments.domain.wording import amount
from experiments.services.lists.bulk_run import BATCH, Assigned, ListAssigner, ListWish

REJECTED_EXIT_CODE = 3
INTERRUPTED_EXIT_CODE = 130
_STEPS = {"read": "Reading", "assign": "Assigning"}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-e", "--experiment", "key", required=True, help="Key of the experiment.")
@click.option(
    "-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Ends in .csv or .parquet."
)
@click.option("--id-column", default="unit_id", show_default=True, help="The column that says who it is.")
@click.option("--attributes", metavar="COL,…", help="Attributes to look at; all that the conditions name by default.")
@click.option(
    "--types", multiple=True, metavar="FILE|COL=TYPE,…", help="text, integer, number, boolean, json; FILE is TOML."
)
@click.option(
    "--delimiter", default=",", show_default=True, callback=one_character, help=r"Of CSV, in and out; \t is a tab."
)
@click.option(
    "--expose/--no-expose", default=None, help="Record that they are shown it; by default as the experiment says."
)
@click.option(
    "--channel", type=click.Choice([one.value for one in Channel]), help="Where they are shown it; of exposures."
)
@click.option("--batch", type=click.IntRange(1), default=BATCH, show_default=True, help="Rows held in memory.")
@click.option("--restart", is_flag=True, help="Begin anew, and write over what is there.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON on stdout.")
def assign(
    *,
    file: Path,
    key: str,
    out: Path,
    id_column: str,
    attributes: str | None,
    types: Sequence[str],
    delimiter: str,
    expose: bool | None,
    channel: str | None,
    batch: int,
    restart: bool,
    as_json: bool,
) -> None:
    """Say for each row of FILE (CSV or Parquet) what it sees in the experiment, exactly as the API would.

    Ended at any moment and started again, it goes on where it stopped. Rows that cannot be read are listed in
    OUT.rejected.csv; then the exit code is 3.
    """
    wish = ListWish(
        source=file,
        experiment=key,
        out=out,
        id_column=id_column,
        attributes=None if attributes is None else tuple(name for name in attributes.split(",") if name),
        types=_types(types),
        expose=expose,
        channel=None if channel is None else Channel(channel),
        batch=batch,
        delimiter=delimiter,
        restart=restart,
    )
    winnow = wired()
    assigner = ListAssigner(winnow.catalog, winnow.assigner, winnow.open_unit_of_work)
    try:
        with progress_bar(_STEPS["read"]) as tell:
            done = assigner.assign(wish, lambda step, now, total: tell(now, total, _STEPS[step]))
    except KeyboardInterrupt:
        click.echo(f"Ended. What is done is kept beside {out.name}: the same command goes on from there.", err=True)
        raise SystemExit(INTERRUPTED_EXIT_CODE) from None
    _report(done, wish, as_json=as_json)
    if done.rejected:
        raise SystemExit(REJECTED_EXIT_CODE)


def _types(given: Sequence[str]) -> dict[str, str]:
    types: dict[str, str] = {}
    for one in given:
        if "=" in one:
            types.update((column, kind) for column, _, kind in (pair.rpartition("=") for pair in one.split(",")))
        else:
            types.update(_types_in(Path(one)))
    return types


def _types_in(path: Path) -> dict[str, str]:
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        told = f"There is no file {str(path)!r}: COL=TYPE is wanted (such as age=integer), or a TOML file."
        raise InvalidInput("types_unreadable", told) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput("types_unreadable", f"{path.name} is no TOML: {error}.") from None
    return {column: str(kind) for column, kind in document.items()}


def _report(done: Assigned, wish: ListWish, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(done)))
    else:
        resumed = f" ({done.resumed:,} of them in an earlier run)" if done.resumed else ""
        exposed = f", {done.exposed:,} exposed" if done.exposed else ""
        click.echo(f"{wish.out.name}: {done.assigned:,} of {amount(done.rows, 'row')} assigned{resumed}{exposed}.")
    undeclared = {name: kinds for name, kinds in done.kinds.items() if name not in wish.types}
    if undeclared:
        told = ", ".join(f"{name} as {' and '.join(kinds) or 'absent'}" for name, kinds in undeclared.items())
        click.echo(f"Read {told}.", err=True)
    if done.rejected:
        were = "was" if done.rejected == 1 else "were"
        click.echo(f"{amount(done.rejected, 'row')} {were} rejected: {wish.out.name}.rejected.csv says why.", err=True)
