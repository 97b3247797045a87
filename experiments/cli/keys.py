"""`winnow keys`: who may do what over HTTP."""

from __future__ import annotations

import click
from rich.table import Table

from experiments.cli.console import err, out
from experiments.cli.pages import whole
from experiments.cli.wired import ACTOR, wired
from experiments.services.keys import Scope


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([str(scope) for scope in Scope]),
    help="May be given several times; `admin` includes all others, `client` is for browsers.",
)
@click.option(
    "--tag", "tags", multiple=True, help="See only experiments with this tag; may be given several times: one of them."
)
def create(name: str, scopes: tuple[str, ...], tags: tuple[str, ...]) -> None:
    """Create a key and print it: the only time that it can be seen."""
    new = wired().keys.create(name, frozenset(scopes), tags=frozenset(tags), actor=ACTOR)
    err().print(f"Key {new.key.id} ({', '.join(sorted(scopes))}); it is not shown again:")
    click.echo(new.text)


@keys.command(name="list")
def list_() -> None:
    """List all keys, without their secrets."""
    table = Table("id", "name", "scopes", "tags", "created", "revoked")
    for key in whole(wired().keys.page):
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        allowed, tags = " ".join(sorted(key.scopes)), " ".join(sorted(key.tags))
        table.add_row(key.id, key.name, allowed, tags, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    out().print(table)


@keys.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Revoke a key; every process refuses it within seconds."""
    key = wired().keys.revoke(key_id, actor=ACTOR)
    click.echo(f"Key {key.id} ({key.name}) is revoked.")
