"""`winnow metrics add`, `layers add`, `attributes add` and `sources add`. What they leave out, the API can say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TypeVar

import click

from experiments.cli.wired import ACTOR, wired
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import DomainError
from experiments.domain.layer import Layer
from experiments.domain.metric import Direction, Metric, MetricKind
from experiments.domain.source import Source, SourceKind
from experiments.services.paging import Stored

F = TypeVar("F", bound=Callable[..., Any])


def _named(command: F) -> F:
    """Give a command the key, the name and the description that all things have."""
    for option in (
        click.option("--description", default="", help="For people."),
        click.option("--name", required=True, help="For people."),
        click.argument("key", metavar="KEY"),
    ):
        command = option(command)
    return command


def _choice(kinds: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([kind.value for kind in kinds])  # click names members of an enum otherwise


@click.command("add")
@_named
@click.option("--kind", required=True, type=_choice(MetricKind))
@click.option("--event", "event_name", required=True, help="Name of the event that it counts or sums.")
@click.option("--denominator-event", "denominator_event_name", help="Of a ratio.")
@click.option("--numerator-counts-events", is_flag=True, help="Of a ratio: events in place of their values.")
@click.option("--denominator-counts-events", is_flag=True, help="Of a ratio: events in place of their values.")
@click.option("--direction", type=_choice(Direction), default=Direction.INCREASE.value, help="What is better.")
@click.option("--window-seconds", type=click.IntRange(1), help="From exposure; without end where it is left out.")
@click.option("--cap", type=float, help="The most that one unit counts for.")
@click.option("--quantile", type=float, help="Of kind quantile: 0.5 is the median.")
@click.option("--winsor-quantile", type=float, help="Cut values of units off at this quantile of all.")
def add_metric(*, kind: str, direction: str, **given: Any) -> None:
    """Add a metric; covariates are the API's to say."""
    with _by_option():
        metric = Metric(kind=MetricKind(kind), direction=Direction(direction), **given)
    _tell("Metric", wired().author.metrics.create(metric, actor=ACTOR))


@click.command("add")
@click.argument("key", metavar="KEY")
@click.option("--name", required=True, help="For people.")
@click.option("--salt", help="What its units are split by; the key where it is left out.")
@click.option(
    "--holdout-bp", type=int, default=0, show_default=True, help="Held out of all its experiments, of 10,000."
)
@click.option(
    "--bucketing", type=int, default=1, show_default=True, help="The hash; 2 is the one that GrowthBook's SDKs know."
)
def add_layer(*, key: str, name: str, salt: str | None, holdout_bp: int, bucketing: int) -> None:
    """Add a layer; what its units are split by never changes."""
    with _by_option():
        layer = Layer(key=key, name=name, salt=salt or key, holdout_bp=holdout_bp, bucketing=bucketing)
    _tell("Layer", wired().author.layers.create(layer, actor=ACTOR))


@click.command("add")
@_named
@click.option("--type", "kind", required=True, type=_choice(AttributeType), help="It never changes.")
@click.option("--personal", is_flag=True, help="It tells who somebody is or how they live.")
@click.option("--source", "sources", multiple=True, help="Who may say it; may be given several times. None: all.")
@click.option("--allowed", multiple=True, help="A value that it may have; may be given several times. None: any.")
@click.option("--fresh-days", type=int, help="How long a value counts from when it was said; for ever if left out.")
def add_attribute(*, kind: str, allowed: Sequence[str], **given: Any) -> None:
    """Register what may be known of units, by the name that conditions use."""
    type_ = AttributeType(kind)
    values = tuple(map(_number, allowed)) if type_ is AttributeType.NUMBER else tuple(allowed)
    with _by_option():
        attribute = Attribute(type=type_, allowed=values, **given)
    _tell("Attribute", wired().author.attributes.create(attribute, actor=ACTOR))


@click.command("add")
@_named
@click.option("--kind", required=True, type=_choice(SourceKind))
@click.option("--precedence", required=True, type=int, help="Of two that differ the higher one counts.")
def add_source(*, kind: str, **given: Any) -> None:
    """Register who says what is known of units."""
    with _by_option():
        source = Source(kind=SourceKind(kind), **given)
    _tell("Source", wired().author.sources.create(source, actor=ACTOR))


@contextmanager
def _by_option() -> Iterator[None]:
    """Say where a refusal belongs as whoever typed the command knows it: `--event` in place of `/event_name`."""
    try:
        yield
    except DomainError as refusal:
        field = refusal.path.lstrip("/").partition("/")[0]
        for one in click.get_current_context().command.params:
            option = one.opts[0] if isinstance(one, click.Option) else one.human_readable_name
            if field and (field == one.name or option == f"--{field}"):
                refusal.path = option
        raise


def _tell(noun: str, stored: Stored[Any]) -> None:
    click.echo(f"{noun} {stored.value.key} is stored.")


def _number(text: str) -> int | float:
    try:
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no number.", param_hint="--allowed") from None
