"""`winnow design`: what an experiment needs, before it starts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from analysis.design.duration import Duration
from analysis.estimate import Undefined
from experiments.cli.console import out
from experiments.cli.tables import NONE, chance
from experiments.domain.policy import AnalysisPlan, Family, Spending, StoppingRule
from experiments.domain.wording import amount, percent
from experiments.services.authoring.design import Answer, Found, Needed, Sketch
from experiments.services.authoring.design import design as answer_of

Row = tuple[str, str]


@click.command()
@click.option("--rate", type=float, help="The metric is a conversion, and this its rate now (0.12).")
@click.option("--mean", type=float, help="The metric is a mean per unit, and this it now; with --std-dev.")
@click.option("--std-dev", type=float, help="Standard deviation of the metric between units.")
@click.option("--count-rate", type=float, help="The metric is a count of events, and this their number per unit now.")
@click.option("--dispersion", type=float, default=1.0, show_default=True, help="Variance of a count over its mean.")
@click.option(
    "--explained", type=float, default=0.0, show_default=True, help="Share of the variance that covariates take out."
)
@click.option("--lift", type=float, help="The lift to find (0.05 = 5 %): how many units does it take?")
@click.option("--units", type=int, help="Units there will be, in all segments: what can they find?")
@click.option("--units-per-day", type=float, help="New units a day, in all segments: how long does it take?")
@click.option("--variants", type=int, default=2, show_default=True, help="Variants, the control among them.")
@click.option("--segments", type=int, default=1, show_default=True, help="Segments, each of which is to be told.")
@click.option("--smallest-share", type=float, help="Share of the smallest segment in all units; even, if left out.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Error rate of the whole family.")
@click.option("--power", "target_power", type=float, default=0.8, show_default=True, help="Wanted power.")
@click.option(
    "--stopping-rule", type=click.Choice([one.value for one in StoppingRule]), default="always_valid", show_default=True
)
@click.option("--family", type=click.Choice([one.value for one in Family]), default="holm", show_default=True)
@click.option(
    "--spending", type=click.Choice([one.value for one in Spending]), default="obrien_fleming", show_default=True
)
@click.option("--looks", type=int, default=5, show_default=True, help="Looks of a group-sequential design.")
@click.option("--tuned-for-units", type=int, help="Of always_valid; where it is left out, the best value is found.")
@click.option(
    "--minimum-units",
    type=int,
    default=AnalysisPlan().minimum_units,
    show_default=True,
    help="The plan's, of each variant in a segment: with fewer nothing is concluded.",
)
@click.option(
    "--minimum-conversions",
    type=int,
    default=AnalysisPlan().minimum_conversions,
    show_default=True,
    help="The plan's, of each variant in a segment: with fewer nothing is concluded.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def design(as_json: bool, stopping_rule: str, family: str, spending: str, **given: Any) -> None:
    """Say how many units an experiment needs, how long it takes, and what a number of units can find.

    Each segment is judged by itself, every comparison of variants in every segment together in one family.
    """
    sketch = Sketch(
        stopping_rule=StoppingRule(stopping_rule), family=Family(family), spending=Spending(spending), **given
    )
    answer = answer_of(sketch)
    if as_json:
        click.echo(json.dumps(asdict(answer), ensure_ascii=False, indent=2))
        return
    table = Table(box=SIMPLE_HEAD, show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    for row in _rows(sketch, answer):
        table.add_row(*row)
    out().print(table)


def _rows(sketch: Sketch, answer: Answer) -> Iterator[Row]:
    yield "Comparisons judged together", str(answer.comparisons)
    if isinstance(answer.needed, Undefined):
        yield f"To find {_wanted(sketch)}", answer.needed.message
    elif answer.needed is not None:
        yield from _needed(sketch, answer.needed)
    if answer.found is not None:
        yield from _found(sketch, answer.found)


def _needed(sketch: Sketch, needed: Needed) -> Iterator[Row]:
    power = f"a power of {percent(sketch.target_power, 0)}{_against(sketch)}"
    yield f"Units to find {_wanted(sketch)} with {power}", f"{needed.units:,}"
    if sketch.segments > 1:
        yield "of them in the smallest segment", f"{needed.units_in_segment:,}"
    yield "and in each of its variants", f"{needed.units_in_variant:,}"
    if needed.minimum is not None:
        yield f"So many because of a minimum: {needed.minimum.message}", f"{needed.minimum.units_in_variant:,}"
    yield from _time(needed.time)
    yield from _tuned(needed.tuned_for_units)
    if not isinstance(needed.errors, Undefined):
        wrong = "under 0.1%" if needed.errors.type_s < 0.001 else f"{needed.errors.type_s:.1%}"
        yield "A lift that is found has the wrong sign in", f"{wrong} of cases"
        if not isinstance(needed.errors.exaggeration, Undefined):
            yield "and is exaggerated, on average, by a factor of", f"{needed.errors.exaggeration:.2f}"


def _found(sketch: Sketch, found: Found) -> Iterator[Row]:
    lift = found.detectable_lift
    told = lift.message if isinstance(lift, Undefined) else percent(lift, 2, sign=True)
    find = "finds" if found.units == 1 else "find"
    power = percent(sketch.target_power, 0) + _against(sketch)
    yield f"Smallest lift that {amount(found.units, 'unit')} {find} with a power of {power}", told
    if found.power is not None:
        power = found.power.message if isinstance(found.power, Undefined) else chance(found.power)
        yield f"Their power to find {_wanted(sketch)}{_against(sketch)}", power
    yield from _time(found.time)
    yield from _tuned(found.tuned_for_units)


def _against(sketch: Sketch) -> str:
    """Who is named the winner of several variants has to beat each other one, too, which takes more than this power."""
    return " to beat the control (to be named winner takes more)" if sketch.variants > 2 else ""


def _tuned(units: int | None) -> Iterator[Row]:
    if units is not None:
        yield "For that, set `tuned_for_units` to", f"{units:,}"


def _time(time: Duration | Undefined | None) -> Iterator[Row]:
    if isinstance(time, Undefined):
        yield "Time", time.message
    elif time is not None:
        weeks = "week" if time.weeks == 1 else "weeks"
        yield f"Days until they have come (run it for {time.weeks} whole {weeks})", f"{time.days:,.1f}"


def _wanted(sketch: Sketch) -> str:
    return NONE if sketch.lift is None else percent(sketch.lift, 2, sign=True)
