"""`winnow analyse`: compute results now."""

from __future__ import annotations

import json

import click

from experiments.cli.channel_table import identities_line, print_channels
from experiments.cli.console import out, progress_bar
from experiments.cli.tables import metric_table, print_report
from experiments.cli.wired import ACTOR, wired
from experiments.domain.errors import NotFound
from experiments.services.analysing.analyse import Analyst


@click.command()
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
@click.option("--metric", "metric", metavar="KEY", help="Show the figures of this metric only.")
@click.option("--by", type=click.Choice(["channel"]), help="Show them by the channel of the first exposure as well.")
def analyse(key: str, as_json: bool, metric: str | None, by: str | None) -> None:
    """Compute the results of an experiment now, store them as a snapshot and show them."""
    winnow = wired()
    definition = winnow.author.get(key).definition
    known = [use.metric.key for use in definition.metrics]
    if metric is not None and metric not in known:
        raise NotFound("metric", metric, known)  # before a look is paid for
    with progress_bar(f"Reading {key}") as tell:
        snapshot = Analyst(winnow.open_unit_of_work, winnow.clock).analyse(key, progress=tell, actor=ACTOR)
    if as_json:
        told = snapshot.report if by is None else snapshot.supplement.get("channels", [])
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    variants = {variant.key: variant.name for variant in definition.variants}
    segments = {plan.segment.key: plan.segment.name for plan in definition.segments}
    if metric is None:
        print_report(out(), snapshot.report, variants, segments)
    else:
        out().print(metric_table(snapshot.report, metric, variants, segments))
    joined = snapshot.supplement.get("identities")
    if joined and joined["several_ids_exposed"]:
        click.echo(identities_line(joined))
    if by is not None:
        print_channels(out(), snapshot.supplement.get("channels", []), definition.control.key, variants)
    click.echo(f"Snapshot {snapshot.id}, data until {snapshot.watermark.at:%Y-%m-%d %H:%M:%S} UTC.")
