"""`winnow customers`: what is kept of people."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from experiments.cli.console import progress_bar
from experiments.cli.customer_summary import summary
from experiments.cli.wired import ACTOR, wired
from experiments.domain.erasure import Receipt
from experiments.domain.identity import BucketedBy
from experiments.services.consent.consents import ConsentWord
from experiments.services.forgetting.retention import Retention
from experiments.settings import MOST_DAYS


@click.group()
def customers() -> None:
    """See what all of them come to, say who is who and who consents, erase people, and delete old rows."""


customers.add_command(summary)


@customers.command()
@click.option(
    "--days",
    type=click.FloatRange(0, MOST_DAYS, min_open=True),
    help="WINNOW_RETENTION_DAYS, or as if it were so many.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def retention(*, days: float | None, dry_run: bool, as_json: bool) -> None:
    """Delete exposures and events that are older than WINNOW_RETENTION_DAYS, as the worker does once a day.

    Rows stay that an experiment needs which is not stopped, or was stopped less than a week ago.
    """
    winnow = wired()
    wanted = winnow.settings.retention_days if days is None else days
    if not wanted:
        raise click.UsageError("WINNOW_RETENTION_DAYS is not set, so everything is kept; see --days.")
    keeper = Retention(winnow.open_unit_of_work, winnow.clock, wanted, actor=ACTOR)
    going = None
    with progress_bar("Looking", "ids") as tell:
        for going in keeper.would_go() if dry_run else keeper.run():
            tell(going.looked, going.ids, "Deleting" if going.deleted else "Looking")
    if going is None:
        return
    if as_json:
        told = {"before": going.before.isoformat(), "deleted": going.deleted, "dry_run": dry_run}
        click.echo(json.dumps({**told, "exposures": going.exposures, "events": going.events}))
        return
    verb = "would go" if dry_run else "went"
    click.echo(
        f"Of before {going.before:%Y-%m-%d %H:%M:%S} UTC, {going.rows:,} row{'' if going.rows == 1 else 's'} {verb}."
    )
    for kind, counts in (("Exposures", going.exposures), ("Events", going.events)):
        for name, count in sorted(counts.items()):
            click.echo(f"{kind} of {name}: {count:,}")


@customers.command()
@click.argument("unit")
@click.option("--refuse/--grant", "refuse", default=None, help="What UNIT says; left out, what holds is only told.")
@click.option("--erase", is_flag=True, help="With --refuse: erase what was stored before as well.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def consent(*, unit: str, refuse: bool | None, erase: bool, as_json: bool) -> None:
    """Say that UNIT consents or refuses, and print what holds for it."""
    if erase and not refuse:
        raise click.UsageError("--erase goes with --refuse.")
    winnow = wired()
    if refuse is None:
        view = winnow.consents.get(unit)
    else:
        view = winnow.consents.say(ConsentWord(unit_id=unit, granted=not refuse), by=ACTOR)
    receipt = winnow.eraser.erase(unit, actor=ACTOR) if erase else None
    said = view.said
    if as_json:
        told = {
            "granted": None if said is None else said.granted,
            "since": None if said is None else said.since,
            "said_by": None if said is None else said.said_by,
            "mode": view.mode,
            "stored": view.is_stored,
            "receipt": None if receipt is None else asdict(receipt),
        }
        click.echo(json.dumps(told, default=str))
        return
    if said is None:
        click.echo(f"Nothing was said; consent is {view.mode}.")
    else:
        word = "Granted" if said.granted else "Refused"
        click.echo(f"{word} since {said.since:%Y-%m-%d %H:%M:%S} UTC, last said by {said.said_by}.")
    click.echo("What arrives of this unit is stored." if view.is_stored else "Nothing of this unit is stored.")
    if receipt is not None:
        _tell(receipt)


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
    _tell(receipt)


def _tell(receipt: Receipt) -> None:
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
