"""`winnow import customers`: what another system knows of customers, from a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from experiments.cli.console import progress_bar
from experiments.cli.wired import wired
from experiments.domain.names import check_instant
from experiments.services.customer_file import CustomerImporter, Imported, ImportWish

REJECTED_EXIT_CODE = 3
INTERRUPTED_EXIT_CODE = 130


@click.group(name="import")
def importing() -> None:
    """Take over what other systems know."""


@importing.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", required=True, help="Key of the source that says it.")
@click.option("--id-column", default="unit_id", show_default=True, help="The column that says who it is.")
@click.option("--column", "columns", multiple=True, metavar="COL=ATTRIBUTE", help="A column of another name.")
@click.option("--at", metavar="INSTANT", help="Since when it is so, ISO 8601; by default since the file was written.")
@click.option("--delimiter", default=",", show_default=True, help="Of CSV.")
@click.option("--max-errors", type=click.IntRange(1), default=100, show_default=True, help="Bad rows to report.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON on stdout.")
def customers(
    *,
    file: Path,
    source: str,
    id_column: str,
    columns: Sequence[str],
    at: str | None,
    delimiter: str,
    max_errors: int,
    as_json: bool,
) -> None:
    """Take over FILE (CSV, plain or gzip, or Parquet) into the customers' profiles, one row each.

    Columns that are called like a registered attribute are read as its type. Rows that are unfit are told by line, and
    the exit code is 3; the others are stored. The same file again stores nothing, and goes on where it was ended.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise click.BadParameter("One character is wanted.", param_hint="--delimiter")
    wish = ImportWish(
        path=file,
        source=source,
        id_column=id_column,
        columns=dict(_pair(one) for one in columns),
        at=None if at is None else _instant(at),
        delimiter=delimiter,
        most_bad_rows=max_errors,
    )
    winnow = wired()
    importer = CustomerImporter(winnow.open_unit_of_work, winnow.profiles, winnow.clock)
    try:
        with progress_bar("Importing") as tell:
            done = importer.run(wish, tell)
    except KeyboardInterrupt:
        click.echo("Ended. What is done is stored: the same command goes on from there.", err=True)
        raise SystemExit(INTERRUPTED_EXIT_CODE) from None
    _report(done, file.name, as_json=as_json)
    if done.rejected:
        raise SystemExit(REJECTED_EXIT_CODE)


def _pair(text: str) -> tuple[str, str]:
    column, equals, attribute = text.rpartition("=")
    if not equals or not column:
        raise click.BadParameter("COL=ATTRIBUTE is wanted.", param_hint="--column")
    return column, attribute


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("ISO 8601 is wanted, such as 2026-01-31T12:00:00Z.", param_hint="--at") from None
    check_instant(instant, "/at")
    return instant


def _report(done: Imported, name: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(done)))
    else:
        click.echo(
            f"{name}: {done.rows:,} rows of {', '.join(done.attributes)}: {done.accepted:,} stored, "
            f"{done.unchanged:,} known, {done.outdated:,} outdated, {done.rejected:,} rejected."
        )
        for row in done.bad_rows:
            click.echo(f"line {row.line}: {row.code}: {row.column + ': ' if row.column else ''}{row.message}", err=True)
        if done.rejected > len(done.bad_rows):
            click.echo(f"… and {done.rejected - len(done.bad_rows):,} more", err=True)
    if done.left_out:
        click.echo(f"Left out, as no attribute is called so: {', '.join(done.left_out)}.", err=True)
