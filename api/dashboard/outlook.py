"""When can more be said? What the comparisons that are still open may come to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import Names
from api.dashboard.stored import Comparison, Number, Outlook, Scope, StoredReport
from experiments.domain.wording import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLine:
    """One open comparison with the control; `missing` says why it is not in sight that it will be decided."""

    variant: str
    units_left: str
    days_left: str
    missing: str
    detectable: str
    power: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGroup:
    segment: str
    lines: tuple[OpenLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlooks:
    """`power_title` names the lift that is worth acting on, where the plan says one."""

    control: str
    groups: tuple[OpenGroup, ...]
    power_title: str


def outlooks_of(report: StoredReport, names: Names, minimum_lift: float | None) -> Outlooks | None:
    """Return all comparisons that have an outlook, or None where none has one."""
    groups = tuple(
        OpenGroup(segment=names.segment(scope.segment), lines=lines)
        for scope in report.scopes
        if scope.units
        if (lines := tuple(_line(one, outlook, names) for one, outlook in _open(report, scope)))
    )
    if not groups:
        return None
    title = "" if minimum_lift is None else f"Chance left to find {100 * minimum_lift:g}%"
    return Outlooks(control=names.variant(report.control), groups=groups, power_title=title)


def sooner(report: StoredReport, scope: Scope, names: Names) -> str:
    """Say in one sentence when a verdict on the scope may be expected; empty where nothing is open."""
    found = [(one, outlook) for one, outlook in _open(report, scope) if outlook.units_left.value is not None]
    if not found or scope.outcome not in ("undecided", "too_early"):
        return ""
    one, outlook = min(found, key=lambda pair: pair[1].units_left.value or 0.0)
    units = f"{say.rounded_up(outlook.units_left.value or 0.0)} more {plural(names.unit)}"
    days = "" if outlook.days_left.value is None else f", {say.days(outlook.days_left.value)}"
    treatment, control = names.variant(one.treatment), names.variant(report.control)
    return f"If the lift of {treatment} stays as it is, it takes about {units}{days}, to tell it from {control}."


def _open(report: StoredReport, scope: Scope) -> Iterator[tuple[Comparison, Outlook]]:
    for one in scope.primary.comparisons if scope.primary else ():
        if one.outlook is not None and one.baseline == report.control:
            yield one, one.outlook


def _line(one: Comparison, outlook: Outlook, names: Names) -> OpenLine:
    return OpenLine(
        variant=names.variant(one.treatment),
        units_left=_said(outlook.units_left, say.rounded_up),
        days_left=_said(outlook.days_left, lambda value: say.rounded_up(max(value, 1.0))),
        missing="" if outlook.units_left.value is not None else outlook.units_left.missing or "Not known.",
        detectable=_said(outlook.detectable_lift, lambda value: say.lift(value).removeprefix("+")),
        power=_said(outlook.power_left, say.chance),
    )


def _said(number: Number, words: say.Words) -> str:
    return "–" if number.value is None else words(number.value)
