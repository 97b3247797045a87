"""`winnow segments drift`: who is in another segment now than when they were exposed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from experiments.cli.console import out, progress_bar
from experiments.cli.tables import NONE, percent, primary
from experiments.cli.wired import ACTOR, wired
from experiments.services.drift.drift import Drifter
from experiments.services.drift.ports import Drift

Doc = Mapping[str, Any]
Names = Mapping[str, str]


@click.command()
@click.argument("key", metavar="EXPERIMENT")
@click.option("--stored", is_flag=True, help="Show what was computed last instead of looking at all profiles again.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole document as JSON.")
def drift(key: str, stored: bool, as_json: bool) -> None:
    """Show how many units have moved to another segment since they were exposed, and results by present segment.

    The latter describe and decide nothing: winners are found by the segment at exposure.
    """
    winnow = wired()
    if stored:
        found = winnow.results.drift(key)
    else:
        with progress_bar(f"Reading {key}") as tell:
            found = Drifter(winnow.open_unit_of_work, winnow.clock).compute(key, tell, actor=ACTOR)
    if as_json:
        click.echo(json.dumps(found.document, ensure_ascii=False, indent=2))
        return
    definition = winnow.author.get(key).definition
    variants = {variant.key: variant.name for variant in definition.variants}
    segments = {plan.segment.key: plan.segment.name for plan in definition.segments}
    print_drift(out(), found, variants, segments)


def print_drift(console: Console, found: Drift, variants: Names, segments: Names) -> None:
    """Print who moved, what is to be said of it, and the lifts by both segments side by side."""
    document = found.document
    for hidden in document["hidden"]:
        console.print(f"{segments.get(hidden['segment'], hidden['segment'])}: {hidden['message']}", markup=False)
    if document["skipped"]:
        console.print(document["skipped"]["message"], markup=False)
        return
    console.print(_moves(document, segments))
    for finding in document["findings"]:
        console.print(f"{finding['severity']}: {finding['message']}.", markup=False)
    console.print(_lifts(document, variants, segments))
    console.print(document["note"], markup=False)
    console.print(f"Profiles of {found.computed_at:%Y-%m-%d %H:%M} UTC, snapshot {found.snapshot_id}.", markup=False)


def _moves(document: Doc, segments: Names) -> Table:
    table = Table("segment at exposure", title="Who has moved since", box=SIMPLE_HEAD)
    for title in ("units", "still there", "moved", "unknown"):
        table.add_column(title, justify="right")
    table.add_column("moved to")
    for row in document["segments"]:
        counts = (f"{row[name]:,}" for name in ("units", "stayed", "moved", "unknown"))
        table.add_row(segments.get(row["segment"], row["segment"]), *counts, ", ".join(_places(row, segments)))
    return table


def _places(row: Doc, segments: Names) -> Iterator[str]:
    for one in sorted(row["moved_to"], key=lambda one: -one["units"]):
        yield f"{segments.get(one['segment'], one['segment'])} {one['units']:,}"
    if row["in_none"]:
        yield f"no named one {row['in_none']:,}"


def _lifts(document: Doc, variants: Names, segments: Names) -> Table:
    """The primary metric; a segment that has nobody under either is left out."""
    metric = primary(document["at_exposure"][0])["metric"]
    table = Table("segment", "variant", title=f"{metric}: lift by segment", box=SIMPLE_HEAD)
    for title in ("units at exposure", "lift", "units now", "lift by present segment"):
        table.add_column(title, justify="right")
    now = {scope["segment"]: scope for scope in document["at_present"]}
    for then in document["at_exposure"]:
        key = then["segment"]
        if then["units"] or now[key]["units"]:
            lifts = ({one["treatment"]: one["lift"] for one in primary(it)["comparisons"]} for it in (then, now[key]))
            before, after = lifts
            for treatment, lift in before.items():
                table.add_row(
                    segments.get(key, key),
                    variants.get(treatment, treatment),
                    f"{then['units']:,}",
                    _lift(lift),
                    f"{now[key]['units']:,}",
                    _lift(after.get(treatment)),
                )
    return table


def _lift(estimate: Doc | None) -> str:
    return NONE if estimate is None else percent(estimate["value"], sign=True)
