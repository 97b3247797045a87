"""`winnow import customers`: what another system knows of customers, from a file or by a query."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path

import click
from click.core import ParameterSource

from experiments.bootstrap import Winnow
from experiments.cli.console import progress_bar
from experiments.cli.separator import one_character
from experiments.cli.wired import wired
from experiments.domain.names import check_instant
from experiments.domain.wording import amount
from experiments.services.lists.file import Rejected
from experiments.services.profiles.customer_file import CustomerImporter, Imported, ImportWish
from experiments.settings import IMPORT_URL_VARIABLE
from experiments.storage.customers.query_source import open_query

REJECTED_EXIT_CODE = 3
INTERRUPTED_EXIT_CODE = 130


@click.group(name="import")
def importing() -> None:
    """Take over what other systems know."""


@importing.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--query", metavar="SQL", help="What to read, instead of FILE, from the database at --source.")
@click.option(
    "--source",
    envvar=IMPORT_URL_VARIABLE,
    show_envvar=True,
    help="With --query the address of its database, of any that SQLAlchemy has a driver for; with FILE as --as.",
)
@click.option("--as", "said_by", metavar="KEY", help="Key of the source that says it.")
@click.option("--id-column", default="unit_id", show_default=True, help="The column that says who it is.")
@click.option("--column", "columns", multiple=True, metavar="COL=ATTRIBUTE", help="A column of another name.")
@click.option(
    "--at",
    metavar="INSTANT",
    help="Since when it is so, ISO 8601; by default since the file was written, or since now.",
)
@click.option("--delimiter", default=",", show_default=True, callback=one_character, help=r"Of CSV; \t is a tab.")
@click.option("--max-errors", type=click.IntRange(1), default=100, show_default=True, help="Bad rows to report.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON on stdout.")
@click.pass_context
def customers(
    context: click.Context,
    *,
    file: Path | None,
    query: str | None,
    source: str | None,
    said_by: str | None,
    id_column: str,
    columns: Sequence[str],
    at: str | None,
    delimiter: str,
    max_errors: int,
    as_json: bool,
) -> None:
    """Take over FILE (CSV, plain or gzip, or Parquet) or the rows of a query into the customers' profiles, one each.

    Columns that are called like a registered attribute are read as its type. Rows that are unfit are told by line, and
    the exit code is 3; the others are stored. The same file again stores nothing, and goes on where it was ended; so
    does the same query with the --at that the first run told.
    """
    from_environment = context.get_parameter_source("source") is ParameterSource.ENVIRONMENT
    url, key = _asked(file, query, None if query is None and from_environment else source, said_by)
    winnow = wired()
    wish = partial(
        ImportWish,
        source=key,
        id_column=id_column,
        columns=dict(_pair(one) for one in columns),
        at=None if at is None else _instant(at),
        delimiter=delimiter,
        most_bad_rows=max_errors,
    )
    if query is None or url is None:
        _run(winnow, wish(path=file), as_json=as_json)
        return
    with open_query(url, query) as asked:
        if at is None:
            wish = partial(wish, at=winnow.clock())
            click.echo(
                f"It is so since now: --at {wish.keywords['at'].isoformat()} goes on where this run ends.", err=True
            )
        _run(winnow, wish(query=asked), as_json=as_json)


def _asked(file: Path | None, query: str | None, source: str | None, said_by: str | None) -> tuple[str | None, str]:
    """Return the address of the query's database, if it is a query, and the key of the source."""
    if (file is None) == (query is None):
        raise click.UsageError("Either FILE or --query is wanted.")
    if query is None:
        if said_by is not None and source is not None:
            raise click.UsageError("With FILE, --source and --as are the same: name one.")
        key = said_by or source
        if key is None:
            raise click.UsageError("Missing option '--source': the key of the source that says it.")
        if "://" in key:
            raise click.UsageError("With FILE, --source is a key of the registry; an address is for --query.")
        return None, key
    if source is None or "://" not in source:
        raise click.UsageError("With --query, --source is the address of its database, and --as the key of the source.")
    if said_by is None:
        raise click.UsageError("Missing option '--as': the key of the source that says it.")
    return source, said_by


def _run(winnow: Winnow, wish: ImportWish, *, as_json: bool) -> None:
    importer = CustomerImporter(winnow.open_unit_of_work, winnow.profiles, winnow.clock)
    try:
        with progress_bar("Importing") as tell:
            done = importer.run(wish, tell)
    except KeyboardInterrupt:
        again = "the same command" if wish.path is not None else "the same command with that --at"
        click.echo(f"Ended. What is done is stored: {again} goes on from there.", err=True)
        raise SystemExit(INTERRUPTED_EXIT_CODE) from None
    _report(done, wish, as_json=as_json)
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


def tell_bad_rows(rows: Sequence[Rejected], rejected: int, line: str = "line") -> None:
    """Tell of the first of those that were rejected; `line`: what is counted."""
    for row in rows:
        click.echo(f"{line} {row.line}: {row.code}: {row.column + ': ' if row.column else ''}{row.message}", err=True)
    if more := rejected - sum(row.lines for row in rows):
        click.echo(f"… and {more:,} more", err=True)


def _tell_joined(done: Imported, line: str) -> None:
    if not done.joined:
        return
    places = ", ".join(f"{place:,}" for place in done.joined_lines)
    more = " …" if done.joined > len(done.joined_lines) else ""
    told = f"{amount(done.joined, 'row')} of ids that were joined to another one, whose profile counts: name that one"
    click.echo(f"joined_ids: {told} ({line} {places}{more}).", err=True)


def _report(done: Imported, wish: ImportWish, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(done)))
    else:
        click.echo(
            f"{wish.name}: {amount(done.rows, 'row')} of {', '.join(done.attributes)}: {done.accepted:,} stored, "
            f"{done.unchanged:,} known, {done.outdated:,} outdated, {done.rejected:,} rejected."
        )
        line = "line" if wish.path is not None else "row"
        tell_bad_rows(done.bad_rows, done.rejected, line)
        _tell_joined(done, line)
    if done.left_out:
        click.echo(f"Left out, as no attribute is called so: {', '.join(done.left_out)}.", err=True)
