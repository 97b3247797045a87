"""`winnow customers`: what is kept of single people."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from experiments.cli.wired import ACTOR, wired
from experiments.domain.identity import BucketedBy


@click.group()
def customers() -> None:
    """Say who is who, and erase people."""


@customers.command()
@click.argument("unit")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON.")
def erase(*, unit: str, as_json: bool) -> None:
    """Erase UNIT everywhere, and print a receipt that does not name it. There is no way back.

    Running servers clean their spools within seconds; what dead ones left on this machine is cleaned at once.
    """
    receipt = wired().eraser.erase(unit, actor=ACTOR)
    if as_json:
        click.echo(json.dumps(asdict(receipt), default=str))
        return
    click.echo(f"Erasure {receipt.id} of {receipt.erased_at:%Y-%m-%d %H:%M:%S} UTC, digest {receipt.unit_digest}")
    click.echo("Deleted: " + ", ".join(f"{count:,} {name}" for name, count in receipt.deleted.items()))
    click.echo("Waiting, to be dropped: " + ", ".join(f"{count:,} {name}" for name, count in receipt.waiting.items()))
    if receipt.unreadable_files:
        click.echo(f"{receipt.unreadable_files} spool files could not be looked into.", err=True)
    for one in receipt.forced_in:
        numbers = ", ".join(map(str, one.versions))
        click.echo(f"Still a forced tester of {one.experiment}, versions {numbers}: versions never change.", err=True)
    for sentence in receipt.left:
        click.echo(sentence)


@customers.command()
@click.argument("anonymous")
@click.argument("unit")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def identify(*, anonymous: str, unit: str, as_json: bool) -> None:
    """Join the anonymous id ANONYMOUS to UNIT, once and for good. Running servers know within about a second."""
    joined = wired().identifier.identify(anonymous, unit, trusted=True)
    if as_json:
        click.echo(json.dumps(asdict(joined)))
        return
    by = {
        BucketedBy.ANONYMOUS_ID: f"what {anonymous} saw stays, and {unit} sees it everywhere",
        BucketedBy.UNIT_ID: f"what {unit} saw stays, and {anonymous} sees it from now on",
        BucketedBy.ANOTHER_ID: f"what another id of {unit} saw stays, and {anonymous} sees it from now on",
    }
    click.echo(f"{anonymous} is {unit}: {by[joined.bucketed_by]}.")
