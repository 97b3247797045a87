"""`winnow segments learn`, `refit`, `clusters` and `adopt`. The numbers are imported by who needs them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from experiments.cli.console import out, progress_bar
from experiments.cli.wired import ACTOR, wired
from experiments.domain.condition.words import condition_sentence
from experiments.domain.study import Study, StudyKind
from experiments.domain.wording import amount
from experiments.services.studies.studies import AdoptedSegment, AdoptWish, Standing

Doc = Mapping[str, Any]
_AT_ONCE = 100
_NEWEST = 10
_STANDINGS = {
    Standing.CURRENT: "asks what the newest version says.",
    Standing.DIFFERS: "asks something else than the newest version; `winnow segments adopt` again changes that.",
    Standing.EDITED: "was changed by somebody since it was adopted.",
    Standing.GONE: "stands for a cluster that is not found any more.",
}


def _listed(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


attributes_option = click.option(
    "--attributes", required=True, callback=_listed, metavar="A,B,…", help="Registered attributes to look at."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the stored document.")


@click.command()
@click.argument("name")
@attributes_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same one gives the same.")
@click.option(
    "--sample",
    type=int,
    default=2_000,
    show_default=True,
    help="Customers on which tests are made; clusters are of all.",
)
@click.option("--most-clusters", type=int, default=8, show_default=True, help="Two to so many are looked at.")
@click.option(
    "--method",
    type=click.Choice(["kmeans", "both"]),
    default="both",
    show_default=True,
    help="k-means makes the clusters; both: a Gaussian mixture is told beside it.",
)
@json_option
def learn(
    *, name: str, attributes: tuple[str, ...], seed: int, sample: int, most_clusters: int, method: str, as_json: bool
) -> None:
    """Look for customers who are alike, and store what is found, each cluster as a rule, as clustering NAME."""
    from experiments.services.studies.learn import Learner, LearnWish  # noqa: PLC0415 - it needs the numbers

    winnow = wired()
    wish = LearnWish(
        name=name,
        attributes=attributes,
        seed=seed,
        sample=sample,
        most_clusters=most_clusters,
        mixture=method == "both",
    )
    with progress_bar("Reading profiles", "steps") as tell:
        made = Learner(winnow.open_unit_of_work, winnow.clock).learn(wish, tell, actor=ACTOR)
    _show(made.study, made.adopted, as_json=as_json)


@click.command()
@click.argument("name")
@json_option
def refit(name: str, *, as_json: bool) -> None:
    """Learn clustering NAME again from today's profiles: a new version, and who moved. No segment changes."""
    from experiments.services.studies.learn import Learner  # noqa: PLC0415 - it needs the numbers

    winnow = wired()
    with progress_bar("Reading profiles", "steps") as tell:
        made = Learner(winnow.open_unit_of_work, winnow.clock).refit(name, tell, actor=ACTOR)
    _show(made.study, made.adopted, as_json=as_json)
    for segment, change in made.changes.items() if not as_json else ():
        now = amount(change.now, "customer")
        told = f"Segment {segment} has {now} today, and would have {change.then:,} by its new rule"
        click.echo(f"{told}, {change.both:,} of them the same.")


@click.command()
@click.argument("name", required=False)
@click.option("--version", type=click.IntRange(1), help="That one in place of the newest.")
@json_option
def clusters(name: str | None, version: int | None, *, as_json: bool) -> None:
    """List all clusterings; of one its newest version, its versions, and the segments that were made of it."""
    studies, kind = wired().studies, StudyKind.CLUSTERING
    if name is None:
        list_studies(kind)
        return
    study = studies.get(kind, name, version)
    _show(study, studies.adopted(kind, name), as_json=as_json)
    if not as_json:
        for one in studies.versions(kind, name, after=None, limit=_NEWEST).items:
            told = f"version {one.version}, {one.made_at:%Y-%m-%d %H:%M} UTC, {one.made_by}: {one.outcome}"
            click.echo(f"{told}, {len(one.groups)} clusters" if one.groups else told)


@click.command()
@click.argument("name")
@click.option("--cluster", metavar="KEY", help="A cluster of the clustering NAME.")
@click.option("--leaf", metavar="KEY", help="A proposed leaf of the discovery in experiment NAME.")
@click.option("--as", "segment", required=True, metavar="SEGMENT", help="Key of the segment.")
@click.option("--name", "segment_name", metavar="TEXT", help="Name of the segment, for people.")
@click.option("--version", type=click.IntRange(1), help="Of that version; else of the newest that found anything.")
def adopt(
    *, name: str, cluster: str | None, leaf: str | None, segment: str, segment_name: str | None, version: int | None
) -> None:
    """Make a segment of what was found, or give the segment that was made of it the present rule.

    Running experiments keep the condition that they were written with.
    """
    group = cluster or leaf
    if group is None or (cluster and leaf):
        raise click.UsageError("Either --cluster or --leaf says which.")
    kind = StudyKind.CLUSTERING if cluster else StudyKind.DISCOVERY
    wish = AdoptWish(kind=kind, name=name, group=group, segment=segment, version=version, segment_name=segment_name)
    made = wired().studies.adopt(wish, actor=ACTOR)
    now = made.segment.value
    if made.before is None:
        click.echo(f"Segment {now.key} is stored, of {kind.noun} {group} of version {made.version}.")
    elif made.before == now.condition:
        click.echo(f"Segment {now.key} had that rule already.")
    else:
        click.echo(f"Segment {now.key} has the rule of version {made.version}.")
        click.echo(f"before: {condition_sentence(made.before)}")
    click.echo(f"{'' if made.before is None else 'now: '}{condition_sentence(now.condition)}")


def list_studies(kind: StudyKind) -> None:
    """Print the newest version of each."""
    table = Table("name", "version", "made", "outcome", "message", box=SIMPLE_HEAD)
    after: str | None = None
    while True:
        page = wired().studies.page(kind, after=after, limit=_AT_ONCE)
        for one in page.items:
            made = f"{one.made_at:%Y-%m-%d}"
            table.add_row(one.name, str(one.version), made, one.outcome, Text(one.document["message"]))
        after = page.next_after
        if after is None:
            break
    out().print(table)


def _show(study: Study, adopted: tuple[AdoptedSegment, ...], *, as_json: bool) -> None:
    document = study.document
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))
        return
    click.echo(f"Clustering {study.name}, version {study.version}: {document['message']}")
    if document["groups"]:
        out().print(_table(document))
        click.echo(
            f"Silhouette {document['silhouette']:.2f}, stability {document['adjusted_rand']:.2f}. "
            f"Exactly the right rule holds for {document['rules_right']:.1%} of customers that were kept aside."
        )
    else:
        if document["outcome"] != "too_few_units":
            click.echo("There is no structure to go by.")
        click.echo("That is stored as the answer; there are no clusters to adopt.")
    for note in document["notes"]:
        click.echo(note)
    if document["movement"]:
        _movement(document["movement"], {one["key"]: one["share"] for one in document["groups"]})
    tell_adopted(adopted)


def tell_adopted(adopted: tuple[AdoptedSegment, ...]) -> None:
    """Say of each segment how it stands to what it was made of."""
    for one in adopted:
        click.echo(f"Segment {one.adoption.segment} ({one.adoption.group}) {_STANDINGS[one.standing]}")


def _table(document: Doc) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("cluster")
    for title in ("customers", "share", "fidelity", "stability"):
        table.add_column(title, justify="right")
    table.add_column("rule")
    for one in document["groups"]:
        fidelity = "–" if one["fidelity"] is None else f"{one['fidelity']['agreement']:.1%}"
        rule = one["refusal"] if one["condition"] is None else condition_sentence(one["condition"])
        cells = (one["key"], f"{one['units']:,}", f"{one['share']:.1%}", fidelity, f"{one['stability']:.2f}")
        table.add_row(*cells, Text(rule))
    return table


def _movement(movement: Doc, shares: Mapping[str, float]) -> None:
    moved, units = movement["moved_units"], movement["units"]
    click.echo(
        f"{moved:,} of {units:,} customers ({moved / max(units, 1):.1%}) are in another cluster than by version "
        f"{movement['from_version']}."
    )
    for title, keys in (("New", movement["appeared"]), ("Gone", movement["vanished"])):
        if keys:
            click.echo(f"{title}: {', '.join(keys)}.")
    table = Table("from \\ to", *movement["new"], box=SIMPLE_HEAD)
    for key, row in zip(movement["old"], movement["table"], strict=True):
        table.add_row(key, *(f"{count:,}" for count in row))
    out().print(table)
    for key, before in movement["shares_before"].items():
        if key in shares:
            click.echo(f"{key} had {before:.1%} of customers then, and has {shares[key]:.1%} now.")
