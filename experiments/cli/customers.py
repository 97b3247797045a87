"""`winnow customers`: what is kept of people."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from experiments.cli.customer_summary import summary
from experiments.cli.wired import ACTOR, wired


@click.group()
def customers() -> None:
    """Erase people, and see what all of them come to."""


customers.add_command(summary)


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
