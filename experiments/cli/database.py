"""`winnow db`: the state of the schema."""

from __future__ import annotations

import click

from experiments.cli.console import err
from experiments.settings import Settings
from experiments.storage import migrate


@click.group(name="db")
def database() -> None:
    """Migrate the database, or check that it is migrated."""


@database.command()
@click.option(
    "--statement-seconds",
    type=click.IntRange(0),
    default=migrate.STATEMENT_SECONDS,
    show_default=True,
    help="How long one statement may take on PostgreSQL, such as an index on a large table; 0: as long as it takes.",
)
def upgrade(statement_seconds: int) -> None:
    """Bring the database to the newest revision."""
    migrate.upgrade(Settings.from_environment().database_url, statement_seconds=statement_seconds)
    click.echo(f"The database is at revision {migrate.head()}.")


@database.command()
def check() -> None:
    """Say whether the database fits this release; exit code 1 where it does not."""
    problems = migrate.check(Settings.from_environment().database_url)
    for problem in problems:
        err().print(f"winnow: database_not_migrated: {problem}", soft_wrap=True, markup=False)
    if problems:
        raise SystemExit(1)
    click.echo(f"The database is at revision {migrate.head()}, as the model says.")
