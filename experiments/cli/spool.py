"""`winnow spool`: what was recorded and is not in the database yet."""

from __future__ import annotations

from itertools import groupby

import click
from rich.table import Table

from experiments.cli.console import out
from experiments.cli.wired import wired
from experiments.domain.wording import amount
from experiments.settings import Settings
from experiments.spool.folder import spool_folder
from experiments.spool.listing import Spooled, drain_orphans, spooled
from experiments.storage.engine import identity


@click.group(invoke_without_command=True)
@click.pass_context
def spool(context: click.Context) -> None:
    """List the spool files of this machine: how much waits for which database, and for how long."""
    if context.invoked_subcommand is not None:
        return
    console = out()
    for database, files in groupby(spooled(Settings.from_environment().spool_dir), key=lambda one: one.database):
        console.print(database, soft_wrap=True, markup=False)
        table = Table("file", "in use", "rows", "bytes", "oldest", "dead")
        for one in files:
            table.add_row(*_cells(one))
        console.print(table)


@spool.command()
def drain() -> None:
    """Take what dead processes left for the database of the environment into it; running servers do so themselves."""
    winnow = wired()
    folder = spool_folder(winnow.settings.spool_dir, identity(winnow.settings.database_url))
    for one in drain_orphans(folder, winnow.open_unit_of_work):
        are = "is" if one.rows == 1 else "are"
        dead = f", {one.dead_rows:,} that it refuses stay" if one.dead_rows else ""
        click.echo(f"{one.path.name}: {amount(one.rows, 'row')} {are} in the database{dead}.")


def _cells(one: Spooled) -> tuple[str, ...]:
    depth, in_use = one.depth, "yes" if one.in_use else "no"
    if depth is None:
        return one.path.name, in_use, "unreadable", "", "", ""
    age = f"{depth.age_seconds:,.0f} s" if depth.entries else ""
    return (
        one.path.name,
        in_use,
        f"{depth.rows:,}",
        f"{depth.bytes:,}",
        age,
        f"{depth.dead_rows:,}" if depth.dead_rows else "",
    )
