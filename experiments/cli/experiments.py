"""`winnow experiments`: which there are, what each of them is, and the steps of their lives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from experiments.cli.console import out
from experiments.cli.document import experiment_document, json_option, print_json
from experiments.cli.pages import whole
from experiments.cli.tables import NONE
from experiments.cli.wired import ACTOR, wired
from experiments.domain.condition.words import condition_sentence
from experiments.domain.definition import Definition, SegmentPlan
from experiments.domain.experiment import Experiment, Status
from experiments.services.authoring.author import Step

LONGEST_CONTENT = 60
_KEY = click.argument("key", metavar="KEY")


@click.group()
def experiments() -> None:
    """List experiments, show one, and start, pause, stop or archive it."""


@experiments.command(name="list")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only of this status.")
@json_option
def list_(status: str | None, as_json: bool) -> None:
    """List all experiments by key."""
    found = list(whole(wired().author.page, status=None if status is None else Status(status)))
    if as_json:
        print_json([experiment_document(one) for one in found])
        return
    table = Table("key", "name", "status", "version", "segments", "variants", "started (UTC)", "stopped (UTC)")
    for one in found:
        counts = (one.current.number, len(one.definition.segments), len(one.definition.variants))
        table.add_row(
            one.key,
            Text(one.definition.name),
            one.status,
            *map(str, counts),
            _minute(one.started_at),
            _minute(one.stopped_at),
        )
    out().print(table)


@experiments.command()
@_KEY
@json_option
def show(key: str, as_json: bool) -> None:
    """Show an experiment as it stands: variants, splits of its segments, metrics."""
    found = wired().author.get(key)
    if as_json:
        print_json(experiment_document(found))
        return
    console = out()
    for line in _heading(found):
        console.print(line, markup=False, soft_wrap=True)
    for table in (_variants(found.definition), _segments(found.definition), _metrics(found.definition)):
        console.print(table)


@experiments.command()
@_KEY
def start(key: str) -> None:
    """Start an experiment, or go on after a pause."""
    _take("start", key)


@experiments.command()
@_KEY
def pause(key: str) -> None:
    """Show everybody the control for the time being."""
    _take("pause", key)


@experiments.command()
@_KEY
def stop(key: str) -> None:
    """End an experiment for good: segments with a promoted winner keep it, all others see the control."""
    _take("stop", key)


@experiments.command()
@_KEY
def archive(key: str) -> None:
    """Take an experiment out of sight: frontends get the default of their own."""
    _take("archive", key)


def _take(step: Step, key: str) -> None:
    after = wired().author.step(key, step, actor=ACTOR)
    click.echo(f"{after.key} is {after.status} (version {after.current.number}).")


def _heading(found: Experiment) -> Iterator[str]:
    definition, current = found.definition, found.current
    yield f"{definition.name} ({found.key}): {found.status}, version {current.number}, epoch {current.epoch}"
    if definition.hypothesis:
        yield f"Hypothesis: {definition.hypothesis}"
    told = {
        "owner": definition.owner,
        "tags": " ".join(definition.tags),
        "layer": f"{definition.layer.layer} ({definition.layer.share_bp / 100:g}%)" if definition.layer else "",
        "started": _minute(found.started_at),
        "stopped": _minute(found.stopped_at),
    }
    yield "; ".join(f"{name} {value}" for name, value in told.items() if value)


def _variants(definition: Definition) -> Table:
    table = Table("variant", "name", "content", box=SIMPLE_HEAD)
    for one in definition.variants:
        content = json.dumps(one.content, ensure_ascii=False)
        told = content if len(content) <= LONGEST_CONTENT else f"{content[: LONGEST_CONTENT - 1]}…"
        table.add_row(f"{one.key} (control)" if one.is_control else one.key, Text(one.name), Text(told))
    return table


def _segments(definition: Definition) -> Table:
    table = Table("segment", "who", "split", "traffic", "winner live", box=SIMPLE_HEAD)
    for plan in definition.segments:
        who = Text(condition_sentence(plan.segment.condition))
        table.add_row(plan.segment.key, who, _split(plan), f"{plan.traffic_bp / 100:g}%", plan.promoted or NONE)
    return table


def _split(plan: SegmentPlan) -> str:
    return ", ".join(f"{variant} {share / 100:g}%" for variant, share in plan.allocation.weights_bp.items())


def _metrics(definition: Definition) -> Table:
    table = Table("metric", "name", "role", "kind", "event", box=SIMPLE_HEAD)
    for use in definition.metrics:
        table.add_row(use.metric.key, Text(use.metric.name), use.role, use.metric.kind, use.metric.event_name)
    return table


def _minute(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M}"
