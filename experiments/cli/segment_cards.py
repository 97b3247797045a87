"""`winnow segments card` and `winnow segments persona`: what a segment is worth knowing for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from analysis.estimate import Undefined
from experiments.cli.card_document import document
from experiments.cli.console import err, out, progress_bar
from experiments.cli.wired import wired
from experiments.services.segment_cards import PURCHASE, Cards, CardWish, SegmentCards
from segmentation.card import SegmentCard, persona_csv
from segmentation.card.card import Overlap, Stability, Trait, TrialOutlook, Value

Row = tuple[str, str]
MOST_OVERLAPS = 3
MOST_TRAITS = 5


def _what_from(command: Callable[..., None]) -> Callable[..., None]:
    """The options of both commands."""
    for option in (
        click.option("--weeks", type=int, default=8, show_default=True, help="How far back purchases are looked at."),
        click.option(
            "--purchases",
            multiple=True,
            default=(PURCHASE,),
            show_default=True,
            metavar="EVENT",
            help="An event that is a purchase, its value the money; may be repeated.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@_what_from
@click.option(
    "--units-per-week", type=float, help="Customers that an experiment will reach, in all segments; else as measured."
)
@click.option("--lift", type=float, default=0.05, show_default=True, help="The smallest lift worth acting on.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole cards as JSON.")
def card(
    keys: tuple[str, ...],
    purchases: tuple[str, ...],
    weeks: int,
    units_per_week: float | None,
    lift: float,
    *,
    as_json: bool,
) -> None:
    """Show the cards of segments, of all where none is named: size, value, overlaps, and can they be tested in."""
    made = _make(
        CardWish(keys=keys, purchases=purchases, weeks=weeks, units_per_week=units_per_week, minimum_lift=lift)
    )
    if as_json:
        click.echo(json.dumps(document(made), ensure_ascii=False, indent=2, allow_nan=False))
        return
    for one in made.book.cards:
        _print(made, one, weeks)
    for note in made.notes:
        click.echo(note)


@click.command("persona")
@click.argument("key")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A CSV file; else stdout.")
@_what_from
def draw(key: str, output: Path | None, purchases: tuple[str, ...], weeks: int) -> None:
    """Draw the portrait of a segment as CSV: who they typically are, what sets them apart, what they buy."""
    made = _make(CardWish(keys=(key,), purchases=purchases, weeks=weeks))
    text = persona_csv(made.persona(key))
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8", newline="")
    for note in made.notes:
        err().print(note, markup=False, soft_wrap=True)


def _make(wish: CardWish) -> Cards:
    winnow = wired()
    with progress_bar("Reading profiles") as tell:
        return SegmentCards(winnow.open_unit_of_work, winnow.clock).make(
            replace(wish, keys=tuple(dict.fromkeys(wish.keys))), tell
        )


def _print(made: Cards, one: SegmentCard, weeks: int) -> None:
    table = Table(title=Text(f"{one.segment} · {made.names[one.segment]}"), box=SIMPLE_HEAD, show_header=False)
    table.add_column("")
    table.add_column("")
    for label, told in _rows(made, one, weeks):
        table.add_row(label, Text(told))
    out().print(table)
    if unknown := made.unregistered.get(one.segment):
        click.echo(f"warning: It looks at {', '.join(unknown)}, which no profile has: only requests can bring it.")
    for warning in one.warnings:
        click.echo(f"{warning.severity}: {warning.sentence}")


def _rows(made: Cards, one: SegmentCard, weeks: int) -> Iterator[Row]:
    yield "Customers", f"{one.size.units:,} ({one.size.share:.1%} of {made.book.units:,})"
    if not one.size.units:
        return
    yield from _value(one.value, weeks)
    if one.stability is not None:
        yield "Steadiness", _steadiness(one.stability)
    yield from _overlaps(one.overlaps)
    yield from _traits("Set apart by", one, by_definition=False)
    yield from _traits("By definition", one, by_definition=True)
    yield from _outlook(one.testability)


def _value(value: Value | None, weeks: int) -> Iterator[Row]:
    if value is None:
        return
    interval = value.interval
    between = "" if isinstance(interval, Undefined) else f" ({interval.low:,.2f} … {interval.high:,.2f})"
    yield "Revenue per customer", f"{_number(value.revenue_per_unit)}{between}, {weeks} weeks"
    index = "" if isinstance(value.index, Undefined) else f", {value.index:.2f} × everybody's per customer"
    yield "Revenue", f"{value.revenue:,.2f} ({_share(value.revenue_share)} of all){index}"
    yield "Buyers", f"{value.buyers:,} ({_share(value.buyer_share)}), {_number(value.purchase_value)} a purchase"


def _steadiness(found: Stability) -> str:
    return f"{_share(found.leaving)} leave and {_share(found.entering)} come each week"


def _overlaps(overlaps: tuple[Overlap, ...]) -> Iterator[Row]:
    shared = [one for one in overlaps if one.both]
    for place, one in enumerate(shared[:MOST_OVERLAPS]):
        told = f"{one.other}: {_share(one.share_of_this)} of this, {_share(one.share_of_other)} of the other"
        yield "" if place else "Overlaps", f"{told} (Jaccard {_number(one.jaccard)})"
    if len(shared) > MOST_OVERLAPS:
        yield "", f"and {len(shared) - MOST_OVERLAPS} more"


def _traits(label: str, one: SegmentCard, *, by_definition: bool) -> Iterator[Row]:
    telling = [trait for trait in one.traits if trait.distinguishing and trait.by_definition is by_definition]
    for place, trait in enumerate(telling[:MOST_TRAITS]):
        yield "" if place else label, _trait(trait)


def _trait(trait: Trait) -> str:
    if trait.value is None:
        return f"{trait.attribute}: {trait.inside:,.4g} on average, {trait.elsewhere:,.4g} elsewhere"
    return f"{trait.attribute} {trait.value}: {trait.inside:.1%}, {trait.elsewhere:.1%} elsewhere"


def _outlook(outlook: TrialOutlook | None) -> Iterator[Row]:
    if outlook is None:
        yield "Can it be tested in?", "not known"
        return
    yield "Can it be tested in?", outlook.sentence
    now = "" if isinstance(outlook.baseline, Undefined) else f"{outlook.baseline:.2%} have bought; "
    yield "", f"{now}{outlook.units_per_week:,.0f} customers a week"
    shown = (f"{one.weeks}: {one.lift:.1%}" for one in outlook.shown if not isinstance(one.lift, Undefined))
    if lifts := "  ".join(shown):
        yield "Lift that weeks show", lifts


def _number(value: float | Undefined) -> str:
    return "–" if isinstance(value, Undefined) else f"{value:,.2f}"


def _share(value: float | Undefined) -> str:
    return "–" if isinstance(value, Undefined) else f"{value:.1%}"
